// What a network starts from when there are no pretrained weights.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { findModel } from '#src/models/registry.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compileSteps } from '#src/training/steps.js';
import type { StoredTensor } from '#src/weights/state-dict.js';

const model = findModel('resnet18');
assert.ok(model);
const steps = await compileSteps(await openRuntime('cpu'), {
  model,
  classes: 5,
  input: { crop: 32, mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2] },
  optimizer: { kind: 'sgd' },
});
after(() => steps.dispose());

const pixels = Uint8Array.from({ length: 2 * 32 * 32 * 3 }, (_, i) => (i * i) % 251);
const logitsOf = (seed: number) => {
  steps.drawWeights(seed);
  return steps.evaluate({ pixels, labels: Int32Array.of(0, 1) }).logits;
};

test('the same seed gives the same network, another seed another', () => {
  const [one, other, again] = [logitsOf(42), logitsOf(43), logitsOf(42)];
  assert.equal(one.length, 10);
  assert.ok(one.every(Number.isFinite));
  assert.ok(new Set(one).size === 10, 'images and classes are told apart');
  assert.deepEqual(one, again);
  assert.ok(one.every((value, i) => value !== other[i]));
});

steps.drawWeights(1);
const weights = steps.readWeights();
function tensor(name: string): StoredTensor {
  const found = weights.get(name);
  assert.ok(found, name);
  return found;
}

test('convolutions are normal with a deviation of sqrt(2 / fan-out)', () => {
  const filters = [...weights].filter(([, { shape }]) => shape.length === 4);
  assert.equal(filters.length, 20);
  for (const [name, { shape, data }] of filters) {
    const [channels = 0, , height = 0, width = 0] = shape;
    const expected = Math.sqrt(2 / (channels * height * width));
    const mean = data.reduce((total, value) => total + value, 0) / data.length;
    const deviation = Math.sqrt(data.reduce((total, value) => total + (value - mean) ** 2, 0) / data.length);
    // Five standard errors.
    assert.ok(Math.abs(mean) < (5 * expected) / Math.sqrt(data.length), `${name}: mean ${mean}`);
    const error = Math.abs(deviation / expected - 1);
    assert.ok(error < 5 / Math.sqrt(2 * data.length), `${name}: deviation ${deviation}, not ${expected}`);
  }
});

test('layers of one shape do not start alike', () => {
  const first = tensor('layer1.0.conv1.weight').data;
  assert.ok(first.every((value, i) => value !== tensor('layer1.1.conv1.weight').data[i]));
});

test('the head is uniform within 1 / sqrt(inputs)', () => {
  const bound = 1 / Math.sqrt(512);
  const { data } = tensor('fc.weight');
  const largest = Math.max(...data.map(Math.abs));
  assert.ok(largest <= bound && largest > 0.99 * bound, `${largest} of ${bound}`);
  const [lower, upper] = [Math.min(...data), Math.max(...data)];
  assert.ok(lower < 0 && upper > 0);
  const deviation = Math.sqrt(data.reduce((total, value) => total + value ** 2, 0) / data.length);
  assert.ok(Math.abs(deviation / (bound / Math.sqrt(3)) - 1) < 0.05, `deviation ${deviation}`);
  const bias = tensor('fc.bias').data;
  assert.ok(bias.every((value) => value !== 0 && Math.abs(value) <= bound));
});

test('batch norm starts as the identity', () => {
  const starts = { weight: 1, bias: 0, running_mean: 0, running_var: 1 };
  for (const [part, value] of Object.entries(starts)) {
    for (const layer of ['bn1', 'layer2.0.downsample.1', 'layer4.1.bn2']) {
      assert.ok(
        tensor(`${layer}.${part}`).data.every((number) => number === value),
        `${layer}.${part}`,
      );
    }
  }
});
