import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Graph } from '#src/graph/graph.js';
import { relu } from '#src/graph/ops/activation.js';
import { cast } from '#src/graph/ops/array.js';
import { mean } from '#src/graph/ops/math.js';
import { placeholder } from '#src/graph/ops/source.js';
import { bytesOfWeights, bytesPerImage } from '#src/training/step-memory.js';

test('what is computed of each image counts, by its type, and what others are computed from does not', () => {
  const graph = new Graph();
  const images = placeholder(graph, 'images', 'float32', [null, 4, 4, 2]);
  const halves = cast(relu(images), 'bfloat16');
  relu(relu(halves));
  const loss = mean(halves, [0, 1, 2, 3]);
  assert.equal(bytesPerImage(loss), 32 * (4 + 4 + 2));
});

test('weights count with their gradients and what the optimizer keeps', () => {
  assert.equal(bytesOfWeights([{ size: 10 }, { size: 5 }], 2), 15 * 4 * 4);
});
