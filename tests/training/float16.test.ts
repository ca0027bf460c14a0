// Float16 with a scaled loss: near to float32, steps that overflow leave no trace, and the scale is a part of the run.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { relu } from '#src/graph/ops/activation.js';
import type { Model } from '#src/models/model.js';
import { globalAveragePool } from '#src/models/module.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compileSteps } from '#src/training/compile-steps.js';
import { LossCheck } from '#src/training/loss-check.js';
import type { StepGraphOptions } from '#src/training/step-graph.js';
import { firstLossScale, nextLossScale } from '#src/training/step-state.js';
import type { Steps } from '#src/training/steps.js';
import { noise } from '../graph/samples.js';
import { classes, input, tinyBatch, tinyModel } from './tiny-network.js';

const runtime = await openRuntime('cpu');

async function compile(options: Partial<StepGraphOptions> = {}): Promise<Steps> {
  const steps = await compileSteps(runtime, {
    ...{ model: tinyModel, classes, input, optimizer: { kind: 'adam' as const }, precision: 'float16' as const },
    ...options,
  });
  after(() => steps.dispose());
  return steps;
}

const stateOf = (steps: Steps) => {
  return { weights: steps.readWeights(), slots: steps.readSlots(), counters: steps.counters };
};
const bits = (steps: Steps) =>
  [...steps.readWeights(), ...steps.readSlots()].map(([name, { data }]) => [name, Buffer.from(data.slice().buffer)]);
const scaleAt = (steps: Steps, factor: number) =>
  steps.restore({ ...stateOf(steps), counters: { ...steps.counters, lossScale: { factor, good: 0 } } });

test('losses are near to those of float32, and gradients do not depend on the scale', async () => {
  const half = await compile();
  const single = await compile({ precision: 'float32' });
  const losses = [half, single].map((steps) => {
    steps.drawWeights(21);
    return Array.from({ length: 12 }, (_, at) => steps.train(tinyBatch(200 + (at % 3), 8), 0.01).loss);
  });
  for (const [i, loss] of (losses[1] ?? []).entries()) {
    const other = losses[0]?.[i] ?? Number.NaN;
    assert.ok(Math.abs(other - loss) < 0.02 * loss, `step ${i}: ${other}, not ${loss}`);
  }
  half.drawWeights(21);
  const gradientsAt = (factor: number) => {
    scaleAt(half, factor);
    return half.gradients(tinyBatch(210, 8)).get('fc.weight')?.data ?? new Float32Array();
  };
  const [low, high] = [gradientsAt(1024), gradientsAt(16_384)];
  for (const [i, value] of low.entries()) assert.ok(Math.abs(value - (high[i] ?? Number.NaN)) < 2e-3);
});

for (const precision of ['float16', 'bfloat16'] as const) {
  test(`a mean over more numbers than ${precision} can count has its gradient`, async () => {
    // 65,536 numbers go into the means of a batch, which float16 takes for infinitely many.
    const [crop, images, channels] = [32, 8, 8];
    const wide = { ...input, crop };
    const model: Model = {
      build: (m, x, outputs) =>
        m.linear(
          'fc',
          globalAveragePool(relu(m.conv('conv', x, { channels, kernel: 3, padding: 1, bias: true }))),
          outputs,
        ),
      head: 'fc',
    };
    const pixels = Uint8Array.from(noise(230, images * 3 * crop ** 2), (value) => 128 * (value + 1));
    const batch = { pixels, labels: Int32Array.from({ length: images }, (_, index) => index % classes) };
    const lengths = [];
    for (const arithmetic of ['float32', precision] as const) {
      const steps = await compile({ model, input: wide, precision: arithmetic });
      steps.drawWeights(23);
      const gradient = steps.gradients(batch).get('conv.weight')?.data ?? new Float32Array();
      lengths.push(Math.hypot(...gradient));
    }
    const [full = 0, found = 0] = lengths;
    assert.ok(full > 0 && Math.abs(found / full - 1) < 0.02, `${found}, not ${full}`);
  });
}

test('gradients that overflow halve the scale and change nothing else', async () => {
  const steps = await compile();
  steps.drawWeights(22);
  steps.train(tinyBatch(220, 4), 0.01);
  scaleAt(steps, 2 ** 40);
  const before = bits(steps);
  const { applied, lossScale, loss } = steps.train(tinyBatch(221, 4), 0.01);
  assert.deepEqual([applied, lossScale, Number.isFinite(loss)], [false, 2 ** 39, true]);
  assert.deepEqual(bits(steps), before);
  assert.deepEqual(steps.counters.lossScale, { factor: 2 ** 39, good: 0 });
  assert.equal(steps.counters.skipped, 1);
  // It comes down until steps are possible again.
  let tries = 0;
  while (!steps.train(tinyBatch(222, 4), 0.01).applied) assert.ok(++tries < 40);
  assert.equal(steps.counters.lossScale?.good, 1);
});

test('a step whose loss is not finite lowers the scale, too, and is no good step', async () => {
  const steps = await compile({ mixing: true });
  steps.drawWeights(25);
  steps.train(tinyBatch(250, 4), 0.01);
  const poison = { amount: Number.NaN, box: [0, 0, 5, 5], labelShare: 1 } as const;
  const { applied, loss } = steps.train(tinyBatch(251, 4), 0.01, { mix: poison });
  assert.deepEqual([applied, loss], [false, Number.NaN]);
  assert.deepEqual(steps.counters.lossScale, { factor: firstLossScale.factor / 2, good: 0 });
});

test('a run that goes on has the scale that it had', async () => {
  const steps = await compile();
  steps.drawWeights(23);
  scaleAt(steps, 2 ** 30);
  for (const at of [0, 1, 2]) steps.train(tinyBatch(230 + at, 4), 0.01);
  const state = stateOf(steps);
  const next = () => {
    for (const at of [3, 4]) steps.train(tinyBatch(230 + at, 4), 0.01);
    return { bits: bits(steps), counters: steps.counters };
  };
  const expected = next();
  steps.drawWeights(24);
  steps.restore(state);
  assert.deepEqual(next(), expected);
});

test('a group of batches that is dropped takes its changes of the scale with it, so that it can be done again', async () => {
  const steps = await compile({ accumulate: true });
  steps.drawWeights(26);
  steps.train(tinyBatch(260, 4), 0.01);
  scaleAt(steps, 2 ** 40);
  const group = () => {
    for (const at of [1, 2, 3]) steps.accumulate(tinyBatch(260 + at, 4));
  };
  const before = { bits: bits(steps), counters: steps.counters };
  group();
  assert.deepEqual(steps.counters.lossScale, { factor: 2 ** 37, good: 0 });
  steps.dropGroup();
  assert.deepEqual({ bits: bits(steps), counters: steps.counters }, before);
});

test('the scale follows the rule of GradScaler', () => {
  assert.deepEqual(firstLossScale, { factor: 65_536, good: 0 });
  assert.deepEqual(nextLossScale({ factor: 8, good: 1998 }, true), { factor: 8, good: 1999 });
  assert.deepEqual(nextLossScale({ factor: 8, good: 1999 }, true), { factor: 16, good: 0 });
  assert.deepEqual(nextLossScale({ factor: 8, good: 1999 }, false), { factor: 4, good: 0 });
});

test('a processor trains grouped convolutions, too, near to float32', async () => {
  const grouped: Model = {
    build(m, images, outputs) {
      const x = relu(m.conv('conv', images, { channels: 8, kernel: 3, padding: 1 }));
      const y = relu(m.batchNorm('bn', m.conv('grouped', x, { channels: 8, kernel: 3, groups: 2 })));
      return m.linear('fc', globalAveragePool(y), outputs);
    },
    head: 'fc',
  };
  const losses = [];
  for (const precision of ['float16', 'float32'] as const) {
    const steps = await compile({ model: grouped, precision });
    steps.drawWeights(27);
    losses.push([0, 1, 2].map((at) => steps.train(tinyBatch(270 + at, 8), 0.01).loss));
    assert.equal(steps.counters.step, 3);
  }
  const [half = [], single = []] = losses;
  for (const [i, loss] of single.entries()) assert.ok(Math.abs((half[i] ?? Number.NaN) - loss) < 0.02 * loss);
});

const leftOut = { images: 4, applied: false, correctAt1: 0, correctAt5: 0 };
const place = { step: 9, epoch: 2, files: () => ['a.jpg'] };

for (const policy of ['error', 'skip'] as const) {
  test(`overflows in search of the scale are no breakdown, a scale below 1 is one (--nan=${policy})`, () => {
    const check = new LossCheck(policy, () => assert.fail());
    for (let lossScale = 2 ** 40; lossScale >= 1; lossScale /= 2) {
      assert.equal(check.accepts({ ...leftOut, loss: 1, lossScale }, place), false);
    }
    assert.equal(check.hasFailed, false);
    assert.throws(
      () => check.accepts({ ...leftOut, loss: 1, lossScale: 0.5 }, place),
      /step 9 \(epoch 2\): expected a loss scale of 1 or more, found 0\.5, .* on a\.jpg\. .*--precision=bf16/,
    );
    assert.equal(check.hasFailed, true);
  });
}

test('losses that are not finite are told as such, and with --nan=skip may not use the scale up', () => {
  const lost = { ...leftOut, loss: Number.NaN };
  const strict = new LossCheck('error', () => assert.fail());
  assert.throws(() => strict.accepts({ ...lost, lossScale: 0.5 }, place), /found a loss of NaN, on a\.jpg/);
  const warnings: string[] = [];
  const lenient = new LossCheck('skip', (event) => event.kind === 'warning' && warnings.push(event.message));
  assert.equal(lenient.accepts({ ...lost, lossScale: 1 }, place), false);
  assert.deepEqual(warnings, ['Left out step 9 (epoch 2): a loss of NaN, on a.jpg']);
  assert.throws(() => lenient.accepts({ ...lost, lossScale: 0.5 }, place), /expected a loss scale of 1 or more/);
});
