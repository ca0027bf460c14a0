// With the guard, a step whose loss or gradients are not finite leaves no trace.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { relu } from '#src/graph/ops/activation.js';
import { cast, reverse } from '#src/graph/ops/array.js';
import { add, mul, sqrt, square, sub } from '#src/graph/ops/math.js';
import type { Model } from '#src/models/model.js';
import { globalAveragePool } from '#src/models/module.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compileSteps } from '#src/training/compile-steps.js';
import type { Mix } from '#src/training/mixing.js';
import { buildStepGraph, type StepGraphOptions } from '#src/training/step-graph.js';
import type { StepBatch, StepState, Steps } from '#src/training/steps.js';
import { classes, input, tinyBatch } from './tiny-network.js';

const runtime = await openRuntime('cpu');

/** Images of one colour have a contrast of 0, where the root has no derivative: the loss is finite, `gain`'s gradient NaN. */
const network: Model = {
  build(m, images, outputs) {
    const x = relu(m.batchNorm('bn', m.conv('conv', images, { channels: 6, kernel: 3, padding: 1 })));
    const contrast = globalAveragePool(square(sub(images, reverse(images, [1]))));
    const gain = cast(m.parameter('gain', [3], { kind: 'constant', value: 1 }), images.dtype);
    const scores = m.linear('contrast', sqrt(mul(contrast, gain)), outputs);
    return add(scores, m.linear('fc', m.dropout(globalAveragePool(x), 0.4), outputs));
  },
  head: 'fc',
};

const base = { model: network, classes, input, mixing: true } as const;
type Options = Omit<StepGraphOptions, keyof typeof base>;

async function compile(options: Options): Promise<Steps> {
  const steps = await compileSteps(runtime, { ...base, ...options });
  after(() => steps.dispose());
  return steps;
}

const { crop } = input;
const good = (at: number): StepBatch => tinyBatch(700 + at, 3 + (at % 2));
const mixed: Mix = { amount: 0.2, box: [0, 0, crop, crop], labelShare: 0.8 };
const uniform: StepBatch = { pixels: new Uint8Array(228).fill(99).subarray(0, 225), labels: Int32Array.of(0, 1, 2) };

interface Poison {
  batch: StepBatch;
  mix?: Mix;
  /** What the loss is. */
  isLoss: (loss: number) => boolean;
}
const poisons: Readonly<Record<string, Poison>> = {
  'a gradient of NaN under a finite loss': { batch: uniform, isLoss: Number.isFinite },
  'a loss of NaN': { batch: good(1), mix: { ...mixed, labelShare: Number.NaN }, isLoss: Number.isNaN },
  'images of NaN': { batch: good(2), mix: { ...mixed, amount: Number.NaN }, isLoss: Number.isNaN },
  'an infinite loss': {
    batch: good(3),
    mix: { ...mixed, labelShare: Number.POSITIVE_INFINITY },
    isLoss: (loss) => !Number.isFinite(loss),
  },
};

const stateOf = (steps: Steps): StepState => {
  return { weights: steps.readWeights(), slots: steps.readSlots(), counters: steps.counters };
};

/** Weights and slots to the bit. */
const bitsOf = ({ weights, slots }: StepState) =>
  new Map(
    [...weights, ...slots].map(([name, { data }]) => [
      name,
      new Uint32Array(data.buffer, data.byteOffset, data.length),
    ]),
  );

const isSound = (state: StepState) =>
  [...state.weights.values(), ...state.slots.values()].every(({ data }) => data.every(Number.isFinite));

/** A good step. */
function train(steps: Steps, at: number): number {
  const { loss, applied } = steps.train(good(at), 0.03, { backboneRate: 0.01, mix: mixed });
  assert.equal(applied, true);
  return loss;
}

const adamw = { kind: 'adam', weightDecay: 0.1 } as const;
const recipes: Readonly<Record<string, Options & { opened?: boolean }>> = {
  Adam: { optimizer: { kind: 'adam' } },
  AdamW: { optimizer: adamw },
  'SGD with momentum': { optimizer: { kind: 'sgd', momentum: 0.9, weightDecay: 0.01 } },
  SGD: { optimizer: { kind: 'sgd', momentum: 0 } },
  'AdamW in bfloat16': { optimizer: adamw, precision: 'bfloat16' },
  'AdamW, a part opened': { optimizer: adamw, freeze: 'bn', unfreezeLater: true, opened: true },
};

for (const [name, { opened = false, ...options }] of Object.entries(recipes)) {
  test(`${name}: a step that is not finite leaves no trace`, async () => {
    const steps = await compile({ ...options, guard: true });
    const plain = await compile(options);
    const start = (each: Steps) => {
      each.drawWeights(3);
      train(each, 0);
      if (opened) each.unfreeze();
      train(each, 1);
    };
    for (const [what, { batch, mix = mixed, isLoss }] of Object.entries(poisons)) {
      start(steps);
      const before = stateOf(steps);
      const { applied, loss } = steps.train(batch, 0.03, { mix });
      assert.equal(applied, false, what);
      assert.ok(isLoss(loss), `${what}: ${loss}`);
      const state = stateOf(steps);
      assert.deepEqual(bitsOf(state), bitsOf(before), what);
      assert.deepEqual(state.counters, { ...before.counters, skipped: 1 });

      // Without the guard it does harm.
      start(plain);
      assert.deepEqual(bitsOf(stateOf(plain)), bitsOf(before));
      assert.equal(plain.train(batch, 0.03, { mix }).applied, true);
      assert.ok(!isSound(stateOf(plain)), what);
    }
  });

  test(`${name}: without dropout, the steps after are those of a run without the bad ones`, async () => {
    const steps = await compile({ ...options, guard: true, dropout: false });
    const run = (bad: (at: number) => void) => {
      steps.drawWeights(4);
      const losses = [0, 1, 2, 3].map((at) => {
        if (at === 2 && opened) steps.unfreeze();
        bad(at);
        return train(steps, at);
      });
      return { losses, bits: bitsOf(stateOf(steps)), step: steps.counters.step };
    };
    const expected = run(() => {});
    const found = run((at) => {
      for (const { batch, mix = mixed } of Object.values(poisons).slice(at)) {
        assert.equal(steps.train(batch, 0.03, { mix }).applied, false);
      }
    });
    assert.deepEqual(found, expected);
    assert.equal(steps.counters.skipped, 4 + 3 + 2 + 1);
  });
}

const guarded = await compile({ optimizer: adamw, guard: true });
const free = await compile({ optimizer: adamw });

test('good steps are the same with and without the guard, to the bit', () => {
  const run = (steps: Steps) => {
    steps.drawWeights(5);
    return { losses: [0, 1, 2].map((at) => train(steps, at)), bits: bitsOf(stateOf(steps)) };
  };
  assert.deepEqual(run(guarded), run(free));
});

test('after a step left out dropout draws anew, and a run gone on from there draws the same', () => {
  guarded.drawWeights(6);
  train(guarded, 0);
  const before = stateOf(guarded);
  const without = train(guarded, 1);
  guarded.restore(before);
  assert.equal(guarded.train(uniform, 0.03, { mix: mixed }).applied, false);
  const state = stateOf(guarded);
  const drawn = train(guarded, 1);
  assert.notEqual(drawn, without);
  const end = bitsOf(stateOf(guarded));
  guarded.drawWeights(7);
  guarded.restore(state);
  assert.equal(train(guarded, 1), drawn);
  assert.deepEqual(bitsOf(stateOf(guarded)), end);
});

test('a rate so large that the weights overflow stops all further steps where they are', () => {
  for (const rate of [1e30, 3e38]) {
    guarded.drawWeights(8);
    assert.equal(guarded.train(good(0), rate, { mix: mixed }).applied, true);
    const state = stateOf(guarded);
    for (const at of [1, 2]) assert.equal(guarded.train(good(at), 0.01, { mix: mixed }).applied, false);
    assert.deepEqual(bitsOf(stateOf(guarded)), bitsOf(state));
    assert.deepEqual(guarded.counters, { ...state.counters, skipped: 2 });
  }
});

test('without the guard there is nothing of it in the graph', () => {
  const nodes = (guard?: boolean) =>
    buildStepGraph({ ...base, optimizer: adamw, ...(guard !== undefined && { guard }) }).graph.nodes.map(
      ({ op, name }) => `${op} ${name}`,
    );
  const [without, withGuard] = [nodes(), nodes(true)];
  assert.deepEqual(nodes(false), without);
  const isGuard = (node: string) => /^(Switch|Merge|IsFinite|L2Loss) /.test(node);
  assert.equal(without.filter(isGuard).length, 0);
  assert.ok(withGuard.filter(isGuard).length > 10);
});

test('steps left out hold on to no tensor', () => {
  guarded.drawWeights(9);
  const tensors = runtime.tensorCount();
  for (let i = 0; i < 5; i++) guarded.train(uniform, 0.03, { mix: mixed });
  assert.equal(runtime.tensorCount(), tensors);
});
