// Which kernels convolve by 3 x 3 pixels, with stride 1: ours where a network trains, TensorFlow's where it evaluates.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ops } from '#src/graph/ops/registry.js';
import { nodesBefore } from '#src/graph/substitute.js';
import type { FloatType } from '#src/graph/types.js';
import { findModel } from '#src/models/registry.js';
import { buildStepGraph, type StepGraphOptions } from '#src/training/step-graph.js';

const resnet = findModel('resnet18');
assert.ok(resnet);
const options: StepGraphOptions = {
  model: resnet,
  classes: 5,
  input: { crop: 64, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
  optimizer: { kind: 'sgd' },
  kernels: new Set(ops.keys()),
};
const winograd = ['DeepCnnWinograd', 'DeepCnnWinogradInputGrad', 'DeepCnnWinogradFilterGrad'];

/** How many of these kernels a training step has, and an evaluation. */
function countsOf(more: Partial<StepGraphOptions>): { step: number[]; evaluation: number } {
  const { signatures } = buildStepGraph({ ...options, ...more });
  const of = (name: 'train_step' | 'eval_step') =>
    [...nodesBefore(Object.values(signatures[name].outputs))].map(({ op }) => op);
  const step = of('train_step');
  return {
    step: winograd.map((op) => step.filter((each) => each === op).length),
    evaluation: of('eval_step').filter((op) => op.startsWith('DeepCnnWinograd')).length,
  };
}

test('the thirteen convolutions of ResNet-18 that have such windows, and no evaluation', () => {
  assert.deepEqual(countsOf({}), { step: [13, 13, 13], evaluation: 0 });
});

test('what is frozen evaluates', () => {
  assert.deepEqual(countsOf({ freeze: 'layer2' }).step, [6, 6, 6]);
  assert.deepEqual(countsOf({ freeze: 'backbone' }).step, [0, 0, 0]);
});

test('no other type than float32 but where it would be widened', () => {
  const counts = (precision: FloatType, slowTypes: readonly ('bfloat16' | 'float16')[]) =>
    countsOf({ precision, slowTypes: new Set(slowTypes) }).step;
  assert.deepEqual(counts('bfloat16', []), [0, 0, 0]);
  assert.deepEqual(counts('bfloat16', ['bfloat16']), [13, 13, 13]);
  assert.deepEqual(counts('float16', ['float16']), [0, 0, 0]);
});
