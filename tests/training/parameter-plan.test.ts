// Small parameters share variables, which nobody can tell from what comes out.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { nodesBefore } from '#src/graph/substitute.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compileSteps } from '#src/training/compile-steps.js';
import { planParameters } from '#src/training/parameter-plan.js';
import { buildStepGraph, type StepGraphOptions } from '#src/training/step-graph.js';
import type { StepState, Steps } from '#src/training/steps.js';
import { classes, input, sharingModel, tinyBatch, tinyModel } from './tiny-network.js';

const runtime = await openRuntime('cpu');
const adam = { kind: 'adam' } as const;
const plan = { model: sharingModel, classes, crop: input.crop, freeze: 'none', shared: true };

/** How many parameters are in each storage that is shared. */
function companies(options: Partial<typeof plan>): Record<string, number> {
  const { specs, storageOf } = planParameters({ ...plan, ...options });
  const names = specs.map(storageOf).filter((name) => name !== undefined);
  return Object.fromEntries([...new Set(names)].map((name) => [name, names.filter((other) => other === name).length]));
}

test('parameters share storages with those that the same steps change, at the same rate', () => {
  assert.deepEqual(companies({}), { 'shared/parameters/backbone': 55, 'shared/statistics/backbone': 36 });
  assert.deepEqual(companies({ freeze: 'blocks.8' }), {
    'shared/parameters/late': 28,
    'shared/statistics/late': 18,
    'shared/parameters/backbone': 27,
    'shared/statistics/backbone': 18,
  });
  assert.deepEqual(companies({ shared: false }), {});
  assert.deepEqual(companies({ model: tinyModel }), {});
});

test('a few are not worth it, and large ones have variables of their own', () => {
  assert.deepEqual(companies({ freeze: 'blocks.12' }), { 'shared/parameters/late': 40, 'shared/statistics/late': 26 });
  const { storageOf } = planParameters(plan);
  const spec = { name: 'x', layout: 'plain', trainable: true, initializer: { kind: 'constant', value: 0 } } as const;
  assert.equal(storageOf({ ...spec, shape: [256, 256] }), 'shared/parameters/backbone');
  assert.equal(storageOf({ ...spec, shape: [256, 257] }), undefined);
});

test('a step has one update and one new value for all that share', () => {
  const opsOf = (shared: boolean) => {
    const { signatures } = buildStepGraph({ model: sharingModel, classes, input, optimizer: adam, shared });
    const ops = [...nodesBefore(Object.values(signatures.train_step.outputs))].map(({ op }) => op);
    const count = (op: string) => ops.filter((other) => other === op).length;
    return [count('ReadVariableOp'), count('ResourceApplyAdam'), count('AssignVariableOp')];
  };
  // Two of the last layer, which is small, but alone at its rate.
  assert.deepEqual(opsOf(true), [4, 3, 1]);
  assert.deepEqual(opsOf(false), [93, 57, 36]);
});

async function compile(options: Omit<StepGraphOptions, 'model' | 'classes' | 'input'>): Promise<Steps> {
  const steps = await compileSteps(runtime, { model: sharingModel, classes, input, ...options });
  after(() => steps.dispose());
  return steps;
}

const stateOf = (steps: Steps): StepState => ({
  weights: steps.readWeights(),
  slots: steps.readSlots(),
  counters: steps.counters,
});

const sorted = ({ weights, slots, counters }: StepState) => ({
  weights: [...weights],
  slots: [...slots].sort(([a], [b]) => (a < b ? -1 : 1)),
  counters,
});

const cpu = '/device:CPU:0';
const recipes: Readonly<Record<string, Omit<StepGraphOptions, 'model' | 'classes' | 'input'>>> = {
  AdamW: { optimizer: { kind: 'adam', weightDecay: 0.1 } },
  'SGD with weight decay': { optimizer: { kind: 'sgd', weightDecay: 0.1 } },
  'accumulated gradients and a guard': { optimizer: adam, accumulate: true, guard: true },
  'a part that is frozen, then opened': { optimizer: adam, freeze: 'blocks.8', unfreezeLater: true, accumulate: true },
  'two replicas': { optimizer: adam, devices: [cpu, cpu] },
  bfloat16: { optimizer: adam, precision: 'bfloat16' },
  float16: { optimizer: adam, precision: 'float16' },
};

for (const [name, recipe] of Object.entries(recipes)) {
  test(`sharing changes no bit of a training with ${name}, nor of what is kept of it`, async () => {
    const results = [];
    for (const shared of [true, false]) {
      const steps = await compile({ ...recipe, shared });
      steps.drawWeights(17);
      const losses: unknown[] = [steps.gradients(tinyBatch(40, 4))];
      const train = (at: number) =>
        losses.push(steps.train(tinyBatch(50 + at, 3 + (at % 2)), 0.01, { backboneRate: 0.004 }));
      for (let at = 0; at < 3; at++) train(at);
      if (recipe.unfreezeLater) steps.unfreeze();
      const kept = stateOf(steps);
      steps.restore(kept);
      for (let at = 3; at < 6; at++) train(at);
      losses.push(steps.evaluate(tinyBatch(60, 4)));
      results.push({ losses, kept: sorted(kept), end: sorted(stateOf(steps)) });
    }
    const [together, apart] = results;
    assert.deepEqual(together, apart);
    assert.notDeepEqual(together?.kept.weights, together?.end.weights);
  });
}

test('features of a frozen backbone are the same, and so is what is trained on them', async () => {
  const results = [];
  for (const shared of [true, false]) {
    const steps = await compile({ optimizer: adam, freeze: 'backbone', features: true, shared });
    steps.drawWeights(18);
    const { labels } = tinyBatch(70, 4);
    const features = steps.features('train', tinyBatch(70, 4));
    results.push({ features, done: steps.train({ features, labels }, 0.01), end: sorted(stateOf(steps)) });
  }
  assert.deepEqual(results[0], results[1]);
});

test('what one has kept the other goes on from', async () => {
  const [together, apart] = await Promise.all([
    compile({ optimizer: adam, shared: true }),
    compile({ optimizer: adam, shared: false }),
  ]);
  together.drawWeights(19);
  together.train(tinyBatch(80, 4), 0.01);
  apart.restore(stateOf(together));
  for (const steps of [together, apart]) steps.train(tinyBatch(81, 4), 0.01);
  assert.deepEqual(sorted(stateOf(together)), sorted(stateOf(apart)));
});
