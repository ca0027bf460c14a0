import assert from 'node:assert/strict';
import { it } from 'node:test';
import { MeanMetrics } from '#src/training/metrics.js';

it('weighs batches by their images, not by their number', () => {
  const metrics = new MeanMetrics();
  metrics.add({ applied: true, images: 3, loss: 1, correctAt1: 1, correctAt5: 3 });
  metrics.add({ applied: true, images: 1, loss: 5, correctAt1: 1, correctAt5: 1 });
  assert.deepEqual(metrics.result, { images: 4, loss: 2, precisionAt1: 50, precisionAt5: 100 });
});
