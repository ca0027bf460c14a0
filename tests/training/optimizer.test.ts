// Optimizers, groups of parameters and training with class weights, smoothing and mixup against torch.optim's, over six
// steps of two layers.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compileSteps } from '#src/training/compile-steps.js';
import type { Mix } from '#src/training/mixing.js';
import type { OptimizerOptions } from '#src/training/optimizer.js';
import { buildStepGraph, type StepGraphOptions } from '#src/training/step-graph.js';
import type { Steps } from '#src/training/steps.js';
import { assertClose, relativeError } from '../graph/closeness.js';
import {
  batchOf,
  classes,
  classWeights,
  figures,
  input,
  rates,
  shares,
  startWeights,
  trainingFigure,
  twoLayers,
} from './torch-figures.js';

const runtime = await openRuntime('cpu');

interface Recipe extends Omit<StepGraphOptions, 'model' | 'classes' | 'input'> {
  /** The backbone's rate, as a share of the head's. */
  backboneFactor?: number;
  /** The first step, counted from 0, that trains what was frozen. */
  openAt?: number;
}

async function compile(options: Omit<Recipe, 'backboneFactor' | 'openAt'>): Promise<Steps> {
  const steps = await compileSteps(runtime, { model: twoLayers, classes, input, ...options });
  after(() => steps.dispose());
  return steps;
}

const { crop } = input;
const mixup = (share: number): Mix => ({ amount: 1 - share, box: [0, 0, crop, crop], labelShare: share });

function trainWith(steps: Steps, { backboneFactor = 1, openAt, mixing = false }: Partial<Recipe>): number[] {
  steps.loadWeights(startWeights());
  return rates.map((rate, step) => {
    if (step === openAt) steps.unfreeze();
    const mix = mixing ? { mix: mixup(shares[step] ?? Number.NaN) } : {};
    return steps.train(batchOf(step), rate, { backboneRate: rate * backboneFactor, ...mix }).loss;
  });
}

const adamw = { kind: 'adam', weightDecay: 0.5 } as const;
const sgd = { kind: 'sgd', momentum: 0.9, weightDecay: 0.03 } as const;
const late = { backboneFactor: 0.5, freeze: 'backbone', unfreezeLater: true, openAt: 3 };
const recipes: Readonly<Record<string, Recipe>> = {
  Adam: { optimizer: { kind: 'adam' } },
  AdamW: { optimizer: adamw },
  'AdamW, betas and epsilon': { optimizer: { ...adamw, beta1: 0.8, beta2: 0.95, epsilon: 1e-3 } },
  SGD: { optimizer: { ...sgd, momentum: 0 } },
  'SGD, momentum': { optimizer: sgd },
  'AdamW, slow backbone': { optimizer: adamw, backboneFactor: 0.1 },
  'SGD, slow backbone': { optimizer: sgd, backboneFactor: 0.1 },
  'AdamW, backbone from step 3': { optimizer: adamw, ...late },
  'SGD, backbone from step 3': { optimizer: sgd, ...late },
  'Adam, backbone frozen': { optimizer: { kind: 'adam' }, freeze: 'backbone' },
  'Adam, class weights': { optimizer: { kind: 'adam' }, classWeights },
  'AdamW, all at once': {
    optimizer: adamw,
    backboneFactor: 0.1,
    classWeights,
    labelSmoothing: 0.1,
    mixing: true,
  },
  'SGD, mixup': { optimizer: sgd, mixing: true },
};

test('every figure is compared', () => {
  assert.deepEqual(Object.keys(recipes), Object.keys(figures.optimizers));
});

for (const [name, { backboneFactor, openAt, ...options }] of Object.entries(recipes)) {
  test(`${name}: losses and weights are PyTorch's`, async () => {
    const steps = await compile(options);
    const { mixing } = options;
    const run = () =>
      trainWith(steps, {
        ...(mixing && { mixing }),
        ...(backboneFactor !== undefined && { backboneFactor }),
        ...(openAt !== undefined && { openAt }),
      });
    const expected = trainingFigure(name);
    const losses = run();
    assertClose(losses, expected.losses, 1e-5);
    const found = steps.readWeights();
    for (const [weight, values] of Object.entries(expected.weights)) {
      assertClose(found.get(weight)?.data ?? [], values, 1e-5);
    }
    // Loading weights freezes again and starts all groups anew.
    assert.deepEqual(run(), losses);
  });
}

test('the figures tell the recipes apart', () => {
  const all = Object.entries(figures.optimizers);
  for (const [index, [name, figure]] of all.entries()) {
    for (const [other, { weights }] of all.slice(index + 1)) {
      const error = relativeError(figure.weights['body.weight'] ?? [], weights['body.weight'] ?? []);
      assert.ok(error > 1e-4, `${name} and ${other} differ by ${error}`);
    }
  }
});

test('no weight decay is plain Adam, node by node', () => {
  const nodesWith = (optimizer: OptimizerOptions) =>
    buildStepGraph({ model: twoLayers, classes, input, optimizer }).graph.nodes.map(({ name, op }) => `${op} ${name}`);
  assert.deepEqual(nodesWith({ kind: 'adam', weightDecay: 0 }), nodesWith({ kind: 'adam' }));
  assert.deepEqual(nodesWith({ kind: 'sgd', weightDecay: 0 }), nodesWith({ kind: 'sgd' }));
  assert.ok(!nodesWith({ kind: 'adam' }).some((node) => node.startsWith('AssignSubVariableOp')));
  assert.ok(nodesWith(adamw).some((node) => node.startsWith('AssignSubVariableOp')));
});

test('the same rate for both groups is one rate for all, to the bit', async () => {
  const steps = await compile({ optimizer: adamw });
  trainWith(steps, { backboneFactor: 1 });
  const both = steps.readWeights();
  steps.loadWeights(startWeights());
  for (const [step, rate] of rates.entries()) steps.train(batchOf(step), rate);
  assert.deepEqual(steps.readWeights(), both);
});
