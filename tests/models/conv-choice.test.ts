// Where our kernels convolve by 3 x 3 pixels, and where they normalise in evaluation.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '#src/graph/graph.js';
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

/** How many of these kernels a training step has, and of what kinds an evaluation's convolutions and batch norms are. */
function countsOf(more: Partial<StepGraphOptions>): { step: number[]; evaluation: Record<string, number> } {
  const { signatures } = buildStepGraph({ ...options, ...more });
  const of = (name: 'train_step' | 'eval_step') =>
    [...nodesBefore(Object.values(signatures[name].outputs))].map(({ op }) => op);
  const [step, evaluation] = [of('train_step'), of('eval_step')];
  const count = (list: readonly string[], op: string) => list.filter((each) => each === op).length;
  const kinds = ['Conv2D', 'DeepCnnWinograd', 'FusedBatchNormV3', 'DeepCnnNormalise', 'Relu', 'AddV2'];
  return {
    step: winograd.map((op) => count(step, op)),
    evaluation: Object.fromEntries(kinds.map((op) => [op, count(evaluation, op)])),
  };
}

test('thirteen convolutions of ResNet-18 have such windows, and its batch norms take sums and ReLUs with them', () => {
  const { step, evaluation } = countsOf({});
  assert.deepEqual(step, [13, 13, 13]);
  const { AddV2: additions, ...kinds } = evaluation;
  assert.deepEqual(kinds, { Conv2D: 7, DeepCnnWinograd: 13, FusedBatchNormV3: 0, DeepCnnNormalise: 20, Relu: 0 });
  // An epsilon each, and the last layer's bias.
  assert.ok(additions !== undefined && additions <= 21, `${additions} additions`);
});

test('what is frozen has no gradients', () => {
  assert.deepEqual(countsOf({ freeze: 'layer2' }).step, [13, 6, 6]);
  assert.deepEqual(countsOf({ freeze: 'backbone' }).step, [13, 0, 0]);
});

test('batch norms of bfloat16 are TensorFlow’s in evaluation', () => {
  const { evaluation } = countsOf({ precision: 'bfloat16' });
  assert.deepEqual([evaluation['FusedBatchNormV3'], evaluation['DeepCnnNormalise']], [20, 0]);
});

test('no other type than float32 but where it would be widened', () => {
  const counts = (precision: FloatType, slowTypes: readonly ('bfloat16' | 'float16')[]) =>
    countsOf({ precision, slowTypes: new Set(slowTypes) }).step;
  assert.deepEqual(counts('bfloat16', []), [0, 0, 0]);
  assert.deepEqual(counts('bfloat16', ['bfloat16']), [13, 13, 13]);
  assert.deepEqual(counts('float16', ['float16']), [0, 0, 0]);
});

/** Filters' gradients in a training step: by our kernels, and by TensorFlow's; and whether ours are rounded afterwards. */
function filterGradientsOf(more: Partial<StepGraphOptions>) {
  const { signatures } = buildStepGraph({ ...options, ...more });
  const step = [...nodesBefore(Object.values(signatures.train_step.outputs))];
  const ours = step.filter(({ op }) => op === 'DeepCnnFilterGrad' || op === 'DeepCnnFloatFilterGrad');
  const isRounded = step.some(({ op, inputs }) => op === 'Cast' && inputs.some(({ node }) => ours.includes(node)));
  const theirs = step.filter(({ op }) => op === 'Conv2DBackpropFilter');
  const remade = step.filter(({ op }) => op === 'DeepCnnNormalise');
  return { ours: ours.length, theirs: theirs.length, isRounded, remade: remade.length };
}

const without = (...left: readonly string[]) => new Set([...ops.keys()].filter((op) => !left.includes(op)));

test('filters’ gradients of bfloat16 are our kernel’s where the processor has it, and come in float32', () => {
  const counts = (kernels?: ReadonlySet<string>) => {
    const { remade: _, ...rest } = filterGradientsOf({ precision: 'bfloat16', ...(kernels && { kernels }) });
    return rest;
  };
  assert.deepEqual(counts(), { ours: 20, theirs: 0, isRounded: false });
  assert.deepEqual(counts(without('DeepCnnFilterGrad')), { ours: 0, theirs: 20, isRounded: false });
});

test('filters’ gradients of float32 are our kernel’s where the processor has it, but for those of plain 3 x 3 pixels', () => {
  const { remade, ...counts } = filterGradientsOf({});
  assert.deepEqual(counts, { ours: 7, theirs: 0, isRounded: false });
  const others = filterGradientsOf({ kernels: without('DeepCnnFloatFilterGrad') });
  assert.deepEqual({ ...others, remade: 0 }, { ours: 0, theirs: 7, isRounded: false, remade: 0 });
  assert.ok(remade <= others.remade);
});

test('what comes of a batch norm before a filter of one pixel is made by the kernel of its gradient', () => {
  const model = findModel('resnet50');
  assert.ok(model);
  const counts = (kernels: ReadonlySet<string>) => filterGradientsOf({ model, kernels }).remade;
  // 16 blocks, the last convolution of each.
  assert.equal(counts(without('DeepCnnFloatFilterGrad')) - counts(without()), 16);
});

test('grouped convolutions are our kernels’ in float32, or where it is what others are widened to', () => {
  const model = findModel('regnet_y_400mf');
  assert.ok(model);
  const counts = (more: Partial<StepGraphOptions>) => {
    const { signatures } = buildStepGraph({ ...options, ...more, model });
    const step = [...nodesBefore(Object.values(signatures.train_step.outputs))];
    const isGrouped = ({ op, inputs: [x, filter] }: Node) => op === 'Conv2D' && x?.shape[3] !== filter?.shape[2];
    const count = (op: string) => step.filter((node) => node.op === op).length;
    return [count('DeepCnnGrouped'), count('DeepCnnGroupedGrad'), step.filter(isGrouped).length, count('PadV2')];
  };
  // 16 blocks; the stem and the first block of each stage, at stride 2, are padded by TensorFlow.
  assert.deepEqual(counts({}), [16, 16, 0, 1]);
  assert.deepEqual(counts({ kernels: without('DeepCnnGroupedGrad') }), [0, 0, 16, 5]);
  assert.deepEqual(counts({ precision: 'bfloat16' }), [0, 0, 16, 5]);
  assert.deepEqual(counts({ precision: 'bfloat16', slowTypes: new Set(['bfloat16'] as const) }), [16, 16, 0, 1]);
});
