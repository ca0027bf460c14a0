// A run that was stopped, read out and gone on from in another session ends as the one that never stopped, to the bit.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { relu } from '#src/graph/ops/activation.js';
import type { Model } from '#src/models/model.js';
import { globalAveragePool } from '#src/models/module.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compileSteps } from '#src/training/compile-steps.js';
import type { StepGraphOptions } from '#src/training/step-graph.js';
import type { StepState, Steps } from '#src/training/steps.js';
import type { StateDict } from '#src/weights/state-dict.js';
import { classes, input, tinyBatch } from './tiny-network.js';

const runtime = await openRuntime('cpu');

/** A plain and a depthwise filter, which lie otherwise inside the graph than outside, batch norm and dropout. */
const network: Model = {
  build(m, images, outputs) {
    let x = relu(m.batchNorm('bn', m.conv('conv', images, { channels: 6, kernel: 3, padding: 1 })));
    x = relu(m.conv('depthwise', x, { channels: 6, kernel: [2, 3], groups: 6, bias: true }));
    x = m.dropout(globalAveragePool(x), 0.4);
    return m.linear('fc', x, outputs);
  },
  head: 'fc',
};

type Options = Omit<StepGraphOptions, 'model' | 'classes' | 'input'>;

async function compile(options: Options): Promise<Steps> {
  const steps = await compileSteps(runtime, { model: network, classes, input, ...options });
  after(() => steps.dispose());
  return steps;
}

interface Recipe extends Options {
  /** The step (from 0) before which the rest is opened. */
  unfreezeAt?: number;
}

const adamw = { kind: 'adam', weightDecay: 0.1 } as const;
const late = { freeze: 'backbone', unfreezeLater: true, unfreezeAt: 3 } as const;
const recipes: Readonly<Record<string, Recipe>> = {
  Adam: { optimizer: { kind: 'adam' } },
  AdamW: { optimizer: adamw },
  'SGD with momentum': { optimizer: { kind: 'sgd', momentum: 0.9, weightDecay: 0.01 } },
  'AdamW with mixup, in bfloat16': { optimizer: adamw, mixing: true, precision: 'bfloat16' },
  'AdamW, opened after three steps': { optimizer: adamw, ...late },
  'SGD, opened after three steps': { optimizer: { kind: 'sgd' }, ...late },
  'Adam, backbone frozen': { optimizer: { kind: 'adam' }, freeze: 'backbone' },
};

const total = 6;

/** Steps `from` to before `to`; their losses. */
function trainThrough(steps: Steps, { unfreezeAt, mixing }: Recipe, from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => {
    const at = from + i;
    if (at === unfreezeAt) steps.unfreeze();
    const mix = { amount: 0.3 + at / 20, box: [0, 0, input.crop, input.crop], labelShare: 0.7 - at / 20 } as const;
    return steps.train(tinyBatch(400 + at, 3 + (at % 2)), 0.02 / (at + 1), {
      backboneRate: 0.01,
      ...(mixing && { mix }),
    }).loss;
  });
}

/** All of it in copies of its own, as a file would hold it. */
function stateOf(steps: Steps): StepState {
  const slots = new Map(steps.slotKinds.flatMap((kind) => [...steps.readSlots(kind)]));
  return { weights: steps.readWeights(), slots, counters: steps.counters };
}

const bitsOf = ({ weights, slots, counters }: StepState) => ({
  counters,
  bits: new Map(
    [...weights, ...slots].map(([name, { data, shape }]) => [
      name,
      { shape, words: new Uint32Array(data.buffer, data.byteOffset, data.length) },
    ]),
  ),
});

for (const [name, recipe] of Object.entries(recipes)) {
  test(`${name}: stopped after any step and gone on from, every bit is the uninterrupted run's`, async () => {
    const { unfreezeAt: _, ...options } = recipe;
    const [steps, other] = [await compile(options), await compile(options)];
    // What `other` did before must not matter.
    other.drawWeights(99);
    trainThrough(other, recipe, 0, total);
    const states: StepState[] = [];
    steps.drawWeights(5);
    const losses = Array.from({ length: total }, (_, at) => {
      states.push(stateOf(steps));
      return trainThrough(steps, recipe, at, at + 1)[0];
    });
    const end = bitsOf(stateOf(steps));
    for (const [at, state] of states.entries()) {
      other.restore(state);
      assert.deepEqual(bitsOf(stateOf(other)), bitsOf(state));
      assert.deepEqual(trainThrough(other, recipe, at, total), losses.slice(at));
      assert.deepEqual(bitsOf(stateOf(other)), end);
    }
  });
}

const adam = recipes['AdamW, opened after three steps'];
assert.ok(adam);
const { unfreezeAt: _, ...adamOptions } = adam;
const steps = await compile(adamOptions);

/** The state in the middle, two steps after the rest was opened. */
function middle(): StepState {
  steps.drawWeights(6);
  trainThrough(steps, adam as Recipe, 0, 5);
  return stateOf(steps);
}

const zeros = (tensors: StateDict): StateDict =>
  new Map([...tensors].map(([name, { shape, data }]) => [name, { shape, data: new Float32Array(data.length) }]));

test('each part of the state matters', () => {
  const state = middle();
  const next = (changed: Partial<StepState>) => {
    steps.restore({ ...state, ...changed });
    steps.train(tinyBatch(500, 4), 0.01);
    return bitsOf(stateOf(steps)).bits;
  };
  const expected = next({});
  assert.deepEqual(next({}), expected);
  const { counters, slots, weights } = state;
  const only = (kind: string) =>
    new Map(
      [...slots].map(([name, slot]) => [
        name,
        name.endsWith(`/${kind}`) ? slot : { ...slot, data: new Float32Array(slot.data.length) },
      ]),
    );
  const changes: Record<string, Partial<StepState>> = {
    slots: { slots: zeros(slots) },
    'first moments': { slots: only('exp_avg_sq') },
    'second moments': { slots: only('exp_avg') },
    weights: { weights: zeros(weights) },
    step: { counters: { ...counters, step: counters.step - 1 } },
    'frozen steps': { counters: { ...counters, frozenSteps: 2 } },
    seed: { counters: { ...counters, runSeed: 7 } },
    'skipped steps': { counters: { ...counters, skipped: 1 } },
  };
  for (const [what, change] of Object.entries(changes)) assert.notDeepEqual(next(change), expected, what);
});

test('slots are those in use, in torchvision’s shapes and under PyTorch’s names', () => {
  steps.drawWeights(7);
  const { shape } = steps.parameters.find(({ name }) => name === 'depthwise.weight') ?? {};
  assert.deepEqual(shape, [6, 1, 2, 3]);
  const head = ['fc.weight', 'fc.bias'];
  const trainable = steps.parameters.filter(({ trainable }) => trainable).map(({ name }) => name);
  const namesOf = (kind?: 'exp_avg' | 'exp_avg_sq') => [...steps.readSlots(kind).keys()];
  assert.deepEqual(steps.slotKinds, ['exp_avg', 'exp_avg_sq']);
  assert.deepEqual(
    namesOf('exp_avg'),
    head.map((name) => `${name}/exp_avg`),
  );
  assert.equal(steps.isUnfrozen, false);
  const closed = steps.counters;
  steps.unfreeze();
  assert.equal(steps.isUnfrozen, true);
  assert.deepEqual(namesOf('exp_avg_sq').sort(), trainable.map((name) => `${name}/exp_avg_sq`).sort());
  for (const counters of [closed, steps.counters]) {
    const specs = steps.slotSpecs(counters);
    assert.equal(specs.length, 2 * (counters === closed ? head : trainable).length);
    for (const { name, shape } of specs) {
      const own = steps.parameters.find((parameter) => name.startsWith(`${parameter.name}/`));
      assert.deepEqual(shape, own?.shape);
    }
  }
  const specs = steps.slotSpecs(steps.counters);
  assert.deepEqual(
    [...steps.readSlots()].map(([name, { shape }]) => [name, shape]).sort(),
    specs.map(({ name, shape }) => [name, shape]).sort(),
  );
});

test('any value comes back, whatever way its tensor lies in the graph', () => {
  const odd = [-0, 1e-45, -1e-39, 3.4e38, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1.1754942e-38, 1 / 3];
  const state = middle();
  const fill = (tensors: StateDict): StateDict =>
    new Map(
      [...tensors].map(([name, { shape, data }]) => [
        name,
        { shape, data: data.map((_, i) => odd[i % odd.length] ?? 0) },
      ]),
    );
  const filled = { ...state, weights: fill(state.weights), slots: fill(state.slots) };
  steps.restore(filled);
  assert.deepEqual(bitsOf(stateOf(steps)), bitsOf(filled));
});

test('a state that was handed in is left as it was by the steps after', () => {
  const state = middle();
  const before = structuredClone(bitsOf(state));
  steps.restore(state);
  for (let at = 0; at < 3; at++) steps.train(tinyBatch(600 + at, 4), 0.1);
  assert.deepEqual(bitsOf(state), before);
});

test('what was handed in may be overwritten afterwards', () => {
  const state = middle();
  const expected = bitsOf(structuredClone(state));
  // TensorFlow uses memory without a copy where it is aligned to 64 bytes, which malloc's is by chance.
  for (let offset = 0; offset < 64; offset += 16) {
    const shifted = (tensors: StateDict): StateDict =>
      new Map(
        [...tensors].map(([name, { shape, data }]) => {
          const moved = new Float32Array(new ArrayBuffer(data.byteLength + 256), offset, data.length);
          moved.set(data);
          return [name, { shape, data: moved }];
        }),
      );
    const [weights, slots] = [shifted(state.weights), shifted(state.slots)];
    steps.restore({ ...state, weights, slots });
    for (const { data } of [...weights.values(), ...slots.values()]) data.fill(7);
    assert.deepEqual(bitsOf(stateOf(steps)), expected);
  }
});

test('a state that does not fit is refused, and nothing changes', () => {
  const state = middle();
  const before = bitsOf(stateOf(steps));
  const edit = (
    tensors: StateDict,
    change: (copy: Map<string, { shape: readonly number[]; data: Float32Array }>) => void,
  ) => {
    const copy = new Map(tensors);
    change(copy);
    return copy;
  };
  const { weights, slots, counters } = state;
  const one = { shape: [1], data: new Float32Array(1) };
  const shifted = { shape: [6, 6], data: new Float32Array(36) };
  const refused: readonly (readonly [RegExp, Partial<StepState>])[] = [
    [/internal: the weights lack bn\.bias/, { weights: edit(weights, (copy) => copy.delete('bn.bias')) }],
    [
      /internal: the weights have fc\.bias as \[1\], not \[4\]/,
      { weights: edit(weights, (copy) => copy.set('fc.bias', one)) },
    ],
    [/internal: the weights have more, too/, { weights: edit(weights, (copy) => copy.set('more', one)) }],
    [/internal: the slots lack fc\.bias\/exp_avg/, { slots: edit(slots, (copy) => copy.delete('fc.bias/exp_avg')) }],
    [
      /internal: the slots have depthwise\.weight\/exp_avg as \[6, 6\], not \[6, 1, 2, 3\]/,
      { slots: edit(slots, (copy) => copy.set('depthwise.weight/exp_avg', shifted)) },
    ],
    [
      /internal: the slots have bn\.bias\/momentum_buffer, too/,
      { slots: edit(slots, (copy) => copy.set('bn.bias/momentum_buffer', one)) },
    ],
    [/internal: the slots have .*, too/, { counters: { ...counters, frozenSteps: undefined } }],
    [/internal: no run has the counters/, { counters: { ...counters, step: -1 } }],
    [/internal: no run has the counters/, { counters: { ...counters, frozenSteps: counters.step + 1 } }],
    [/internal: no run has the counters/, { counters: { ...counters, runSeed: 2 ** 31 } }],
    [/internal: no run has the counters/, { counters: { ...counters, skipped: 0.5 } }],
  ];
  for (const [message, change] of refused) {
    assert.throws(() => steps.restore({ ...state, ...change }), message);
    assert.deepEqual(bitsOf(stateOf(steps)), before);
  }
});

test('reading and restoring hold on to no tensor', () => {
  const state = middle();
  const tensors = runtime.tensorCount();
  for (let i = 0; i < 3; i++) {
    steps.restore(state);
    stateOf(steps);
  }
  assert.throws(() => steps.restore({ ...state, slots: new Map() }));
  assert.equal(runtime.tensorCount(), tensors);
});
