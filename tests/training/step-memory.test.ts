import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gradients } from '#src/graph/autodiff.js';
import { Graph } from '#src/graph/graph.js';
import { relu } from '#src/graph/ops/activation.js';
import { cast } from '#src/graph/ops/array.js';
import { mean, mul } from '#src/graph/ops/math.js';
import { placeholder } from '#src/graph/ops/source.js';
import { bytesOfWeights, bytesPerImage } from '#src/training/step-memory.js';

test('what the gradients need once more of each image counts, by its type, and nothing else does', () => {
  const graph = new Graph();
  const images = placeholder(graph, 'images', 'float32', [null, 4, 4, 2]);
  const weight = placeholder(graph, 'weight', 'float32', [2]);
  const product = mul(images, weight);
  const halves = relu(cast(product, 'bfloat16'));
  relu(halves);
  const loss = cast(mean(halves, [0, 1, 2, 3]), 'float32');
  // The product is needed by nobody, and its sum's shape alone is no use of it.
  assert.equal(bytesPerImage(loss, gradients(loss, [weight])), 32 * (4 + 2));
});

test('weights count with their gradients and what the optimizer keeps', () => {
  assert.equal(bytesOfWeights([{ size: 10 }, { size: 5 }], 2), 15 * 4 * 4);
});
