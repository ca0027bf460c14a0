// Gradients of several batches add up to those of one batch as large as all of them.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { relu } from '#src/graph/ops/activation.js';
import type { Model } from '#src/models/model.js';
import { globalAveragePool } from '#src/models/module.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compileSteps, type RunOptions } from '#src/training/compile-steps.js';
import { buildStepGraph, type StepGraphOptions } from '#src/training/step-graph.js';
import type { StepBatch, StepState, Steps } from '#src/training/steps.js';
import { classes, input, tinyBatch, tinyModel } from './tiny-network.js';

const runtime = await openRuntime('cpu');

/** Without batch norm, a batch in parts computes the same. */
const plainModel: Model = {
  build(m, images, outputs) {
    const x = relu(m.conv('conv', images, { channels: 6, kernel: 3, padding: 1, bias: true }));
    return m.linear('fc', globalAveragePool(relu(m.conv('second', x, { channels: 5, kernel: 3 }))), outputs);
  },
  head: 'fc',
};

type Options = Partial<StepGraphOptions> & RunOptions;

async function compile(options: Options): Promise<Steps> {
  const steps = await compileSteps(runtime, {
    ...{ model: plainModel, classes, input, optimizer: { kind: 'adam' as const } },
    ...options,
  });
  after(() => steps.dispose());
  return steps;
}

const imageBytes = 3 * input.crop ** 2;

/** `batch` in pieces of so many images. */
function pieces({ pixels, labels }: StepBatch, sizes: readonly number[]): StepBatch[] {
  let from = 0;
  return sizes.map((size) => {
    const bytes = new Uint8Array(Math.ceil((size * imageBytes) / 4) * 4);
    bytes.set(pixels.subarray(from * imageBytes, (from + size) * imageBytes));
    const piece = { pixels: bytes, labels: labels.slice(from, from + size) };
    from += size;
    return piece;
  });
}

const stateOf = (steps: Steps): StepState => {
  return { weights: steps.readWeights(), slots: steps.readSlots(), counters: steps.counters };
};

const bitsOf = ({ weights, slots }: StepState) =>
  [...weights, ...slots].map(([name, { data }]) => [name, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);

function assertClose(found: Steps, expected: Steps, tolerance = 1e-5): void {
  const [a, b] = [stateOf(found), stateOf(expected)];
  assert.deepEqual({ ...a.counters, parts: 1 }, { ...b.counters, parts: 1 });
  for (const part of ['weights', 'slots'] as const) {
    for (const [name, { data }] of b[part]) {
      const most = Math.max(...data.map(Math.abs));
      for (const [i, value] of data.entries()) {
        const other = a[part].get(name)?.data[i] ?? Number.NaN;
        assert.ok(Math.abs(other - value) <= tolerance * (most + 1e-6), `${name}[${i}]: ${other}, not ${value}`);
      }
    }
  }
}

const recipes: Readonly<Record<string, Options>> = {
  // SGD first: Adam's first steps hide the size of gradients.
  SGD: { optimizer: { kind: 'sgd', momentum: 0.9, weightDecay: 0.01 } },
  AdamW: { optimizer: { kind: 'adam', weightDecay: 0.1 } },
  'SGD, classes weighed': { optimizer: { kind: 'sgd', momentum: 0.9 }, classWeights: [0.3, 2.5, 1, 0.7] },
  'SGD, smoothed': { optimizer: { kind: 'sgd', momentum: 0.9 }, labelSmoothing: 0.2 },
  'SGD, guarded': { optimizer: { kind: 'sgd', momentum: 0.9 }, guard: true },
};

for (const [name, options] of Object.entries(recipes)) {
  test(`${name}: groups of unequal batches train as one large batch`, async () => {
    const grouped = await compile({ ...options, accumulate: true });
    const whole = await compile(options);
    for (const steps of [grouped, whole]) steps.drawWeights(11);
    for (const [at, sizes] of [[3, 1, 4], [2], [5, 3, 3, 1]].entries()) {
      const images = sizes.reduce((sum, size) => sum + size, 0);
      const batch = tinyBatch(40 + at, images);
      const extras = { backboneRate: 0.02 };
      for (const piece of pieces(batch, sizes)) grouped.accumulate(piece);
      grouped.endGroup(0.05, extras);
      whole.train(batch, 0.05, extras);
    }
    assert.equal(grouped.counters.step, 3);
    assertClose(grouped, whole);
  });
}

test('a part that is opened later accumulates from then on', async () => {
  const options = { freeze: 'conv', unfreezeLater: true, optimizer: { kind: 'sgd' } } as const;
  const grouped = await compile({ ...options, accumulate: true });
  const whole = await compile(options);
  for (const steps of [grouped, whole]) steps.drawWeights(12);
  for (let at = 0; at < 4; at++) {
    const batch = tinyBatch(60 + at, 6);
    if (at === 2) for (const steps of [grouped, whole]) steps.unfreeze();
    for (const piece of pieces(batch, [4, 2])) grouped.accumulate(piece);
    grouped.endGroup(0.05);
    whole.train(batch, 0.05);
  }
  assertClose(grouped, whole);
});

test('a group of one is one step', async () => {
  const grouped = await compile({ model: tinyModel, accumulate: true });
  const whole = await compile({ model: tinyModel });
  for (const steps of [grouped, whole]) steps.drawWeights(13);
  const losses = [grouped, whole].map((steps) => [0, 1, 2].map((at) => steps.train(tinyBatch(80 + at, 5), 0.01).loss));
  for (const [i, loss] of (losses[1] ?? []).entries()) assert.ok(Math.abs((losses[0]?.[i] ?? 0) - loss) < 1e-5 * loss);
  assertClose(grouped, whole, 1e-4);
});

test('a dropped group leaves no trace, running statistics included', async () => {
  const steps = await compile({ model: tinyModel, accumulate: true });
  steps.drawWeights(14);
  steps.train(tinyBatch(90, 4), 0.05);
  const before = stateOf(steps);
  steps.accumulate(tinyBatch(91, 4));
  steps.accumulate(tinyBatch(92, 3));
  assert.notDeepEqual(bitsOf(stateOf(steps)), bitsOf(before));
  steps.dropGroup();
  assert.deepEqual(bitsOf(stateOf(steps)), bitsOf(before));
  assert.deepEqual(steps.counters, before.counters);
  // The next group knows nothing of it.
  const next = () => {
    steps.train(tinyBatch(93, 4), 0.05);
    return bitsOf(stateOf(steps));
  };
  const after = next();
  steps.restore(before);
  assert.deepEqual(next(), after);
});

test('a batch that is not finite is left out of its group; a group without any other is no step', async () => {
  const steps = await compile({ accumulate: true, guard: true, mixing: true });
  const poison = { amount: Number.NaN, box: [0, 0, 5, 5], labelShare: 1 } as const;
  const run = (withBad: boolean) => {
    steps.drawWeights(15);
    steps.accumulate(tinyBatch(100, 3));
    if (withBad) assert.equal(steps.accumulate(tinyBatch(101, 4), { mix: poison }).applied, false);
    steps.accumulate(tinyBatch(102, 2));
    steps.endGroup(0.05);
    return bitsOf(stateOf(steps));
  };
  assert.deepEqual(run(true), run(false));
  const before = stateOf(steps);
  steps.accumulate(tinyBatch(103, 3), { mix: poison });
  steps.endGroup(0.05);
  assert.deepEqual(bitsOf(stateOf(steps)), bitsOf(before));
  assert.deepEqual(steps.counters, { ...before.counters, skipped: 1 });
});

test('a batch in parts trains and is evaluated as a whole', async () => {
  const parts = await compile({ accumulate: true });
  const whole = await compile({});
  for (const steps of [parts, whole]) steps.drawWeights(16);
  parts.parts = 3;
  const batch = tinyBatch(110, 7);
  const [a, b] = [parts, whole].map((steps) => steps.train(batch, 0.05));
  assert.ok(a && b);
  assert.ok(Math.abs(a.loss - b.loss) < 1e-6);
  assert.deepEqual({ ...a, loss: 0 }, { ...b, loss: 0 });
  assertClose(parts, whole);
  const [first, second] = [parts, whole].map((steps) => steps.evaluate(batch));
  assert.equal(first?.logits.length, 7 * classes);
  for (const [i, logit] of (second?.logits ?? []).entries()) {
    assert.ok(Math.abs((first?.logits[i] ?? Number.NaN) - logit) < 1e-5);
  }
});

test('without accumulation there is nothing of it in the graph', () => {
  const nodes = (accumulate?: boolean) =>
    buildStepGraph({
      ...{ model: tinyModel, classes, input, optimizer: { kind: 'adam' } },
      ...(accumulate !== undefined && { accumulate }),
    }).graph.nodes.map(({ op, name }) => `${op} ${name}`);
  assert.deepEqual(nodes(false), nodes());
  assert.ok(nodes().every((node) => !/AssignAdd|_sums/.test(node)));
  assert.ok(nodes(true).some((node) => node.startsWith('AssignAddVariableOp')));
});
