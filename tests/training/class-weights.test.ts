// Weights by which all classes count alike.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { groupedImages, imageSubset } from '#src/data/image-list.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { balancedWeights, classCounts } from '#src/training/class-weights.js';
import { compileSteps } from '#src/training/compile-steps.js';
import type { StepBatch } from '#src/training/steps.js';
import { assertClose } from '../graph/closeness.js';
import { classes, input, startWeights, twoLayers } from './torch-figures.js';

const folder = (label: number, images: number) => ({
  folder: `/data/${label}`,
  label,
  names: Array.from({ length: images }, (_, index) => `${index}.jpg`),
});

test('images are counted by class, classes without images too', () => {
  const images = groupedImages([folder(0, 2), folder(2, 5)]);
  assert.deepEqual(classCounts(images, 4), [2, 0, 5, 0]);
  assert.deepEqual(classCounts(imageSubset(images, Uint32Array.of(6, 0, 3)), 3), [1, 0, 2]);
  assert.deepEqual(classCounts(groupedImages([]), 2), [0, 0]);
});

test('weights are images / (classes x images of the class)', () => {
  // compute_class_weight('balanced', classes=[0, 1, 2, 3], y=[0] * 6 + [1] * 2 + [2] * 1 + [3] * 3)
  assertClose(balancedWeights([6, 2, 1, 3]), [0.5, 1.5, 3, 1], 1e-12);
  assert.deepEqual(balancedWeights([7, 7]), [1, 1]);
});

test('weights are 1 in the mean over the images', () => {
  const counts = [13, 1, 90, 7];
  const weights = balancedWeights(counts);
  assertClose([weights.reduce((sum, weight, label) => sum + weight * (counts[label] ?? 0), 0)], [111], 1e-12);
});

test('a class without images has the weight 0, and no other is infinite', () => {
  assert.deepEqual(balancedWeights([3, 0, 1]), [4 / 9, 0, 4 / 3]);
  assert.deepEqual(balancedWeights([0, 0]), [0, 0]);
});

/** One image, as bytes. */
const image = (seed: number) => Array.from({ length: 12 }, (_, i) => (i * 53 + seed * 97 + i * i * 7) % 256);
const batchOf = (labels: readonly number[]): StepBatch => ({
  pixels: Uint8Array.from(labels.flatMap((_, index) => image(index))),
  labels: Int32Array.from(labels),
});

test('training counts rare classes as much as frequent ones, and bears a class without images', async () => {
  const labels = [0, 0, 0, 1, 0, 2, 2, 0];
  const classWeights = balancedWeights([5, 1, 2, 0]);
  const optimizer = { kind: 'sgd', momentum: 0 } as const;
  const runtime = await openRuntime('cpu');
  const steps = await compileSteps(runtime, { model: twoLayers, classes, input, optimizer, classWeights });
  after(() => steps.dispose());
  steps.loadWeights(startWeights());
  const { logits } = steps.evaluate(batchOf(labels));
  const losses = labels.map((label, n) => {
    const scores = [...logits.subarray(n * classes, (n + 1) * classes)];
    return Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0)) - (scores[label] ?? Number.NaN);
  });
  const meanOf = (label: number) => {
    const own = losses.filter((_, n) => labels[n] === label);
    return own.reduce((sum, loss) => sum + loss, 0) / own.length;
  };
  const step = steps.train(batchOf(labels), 0.1);
  assertClose([step.loss], [(meanOf(0) + meanOf(1) + meanOf(2)) / 3], 1e-6);
  for (const [name, { data }] of steps.readWeights()) assert.ok(data.every(Number.isFinite), name);
  // Evaluation counts all images alike.
  steps.loadWeights(startWeights());
  assertClose([steps.evaluate(batchOf(labels)).loss], [losses.reduce((sum, loss) => sum + loss, 0) / 8], 1e-6);
});
