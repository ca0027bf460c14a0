// Bfloat16 learns as float32 does: its first ten steps, on a whole network.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { FloatType } from '#src/graph/types.js';
import { findModel } from '#src/models/registry.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compileSteps } from '#src/training/compile-steps.js';
import type { StepBatch } from '#src/training/steps.js';
import { noise } from '../graph/samples.js';

const input = { crop: 64, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] } as const;
const images = 16;
const classes = 4;

/** Each class has a brightness of its own, in noise. */
function batch(seed: number): StepBatch {
  const labels = Int32Array.from({ length: images }, (_, i) => i % classes);
  const size = 3 * input.crop ** 2;
  const pixels = Uint8Array.from(noise(seed, images * size), (value, i) => {
    return 128 + 60 * value + 16 * ((labels[Math.floor(i / size)] ?? 0) - 1.5);
  });
  return { pixels, labels };
}

/**
 * How far apart the losses may be, each and on average, as a share of float32's. Measured: 2.9 % and 0.9 %. Bfloat16 has 8
 * bits, 0.4 % of each number, which a few steps with batch norm amplify.
 */
const [each, average] = [0.08, 0.03];

const runtime = await openRuntime('cpu');

/** The losses of the first ten steps of a resnet18. */
async function losses(precision: FloatType, slowTypes = runtime.slowTypes): Promise<number[]> {
  const model = findModel('resnet18');
  assert.ok(model);
  const own = { ...runtime, slowTypes };
  const steps = await compileSteps(own, { model, classes, input, optimizer: { kind: 'adam' }, precision });
  after(() => steps.dispose());
  steps.drawWeights(51);
  return Array.from({ length: 10 }, (_, at) => steps.train(batch(510 + at), 1e-4).loss);
}

const single = await losses('float32');

for (const [name, slowTypes] of [
  ['as this processor convolves', runtime.slowTypes],
  ['convolving in float32', new Set(['bfloat16'] as const)],
] as const) {
  test(`ten steps of a resnet18 in bfloat16, ${name}, are near to those in float32`, async () => {
    const half = await losses('bfloat16', slowTypes);
    const apart = single.map((loss, at) => Math.abs(loss - (half[at] ?? Number.NaN)) / loss);
    assert.ok(
      apart.every((share) => share < each),
      `${single}; ${half}`,
    );
    assert.ok(apart.reduce((sum, share) => sum + share, 0) / apart.length < average, `${single}; ${half}`);
    assert.notDeepEqual(single, half);
    // They have learnt far more than that.
    assert.ok((single.at(-1) ?? 9) < 0.5 * (single[0] ?? 0), `${single}`);
  });
}
