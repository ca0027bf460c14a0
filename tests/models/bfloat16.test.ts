// Each kind of network trains in bfloat16: from the same weights, its loss is near float32's (few
// images and random weights magnify roundings). The largest members of
// a family hold no op that the smallest does not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findModel } from '#src/models/registry.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compileSteps } from '#src/training/compile-steps.js';

const runtime = await openRuntime('cpu');
const mean = [0.5, 0.5, 0.5];
const std = [0.25, 0.25, 0.25];
const classes = 5;
const images = 4;

const names = [
  ...['alexnet', 'squeezenet1_1', 'googlenet', 'inception_v3', 'resnet18', 'resnext50_32x4d', 'densenet121'],
  ...['mobilenet_v2', 'mobilenet_v3_small', 'mnasnet0_5', 'shufflenet_v2_x0_5', 'efficientnet_b0'],
  ...['efficientnet_v2_s', 'efficientnet_lite0', 'regnet_x_400mf', 'regnet_y_400mf', 'convnext_tiny'],
];

async function lossesOf(name: string, precision: 'float32' | 'bfloat16'): Promise<number[]> {
  const model = findModel(name);
  assert.ok(model);
  // Inception leaves few pixels of small images, and batch norm of few numbers magnifies any rounding.
  const crop = name === 'inception_v3' ? 220 : 80;
  const batch = {
    pixels: Uint8Array.from({ length: images * crop ** 2 * 3 }, (_, i) => Math.imul(i >> 4, 0x9e3779b1) >>> 24),
    labels: Int32Array.from({ length: images }, (_, i) => i),
  };
  const input = { crop, mean, std };
  const optimizer = { kind: 'sgd' } as const;
  const steps = await compileSteps(runtime, { model, classes, input, optimizer, precision, dropout: false });
  steps.drawWeights(3);
  const losses = [1e-3, 1e-3].map((rate) => steps.train(batch, rate).loss);
  steps.dispose();
  return losses;
}

for (const name of names) {
  test(`${name} trains in bfloat16`, async () => {
    const [first = 0] = await lossesOf(name, 'float32');
    const [firstIn16 = Number.NaN, second] = await lossesOf(name, 'bfloat16');
    assert.ok(Math.abs(firstIn16 / first - 1) < 0.2, `${firstIn16} in place of ${first}`);
    assert.notEqual(firstIn16, first);
    // With one that is not finite among the gradients, so would this be.
    assert.ok(Number.isFinite(second), `${second} after a step`);
  });
}
