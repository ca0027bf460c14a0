// One pass over images: training or evaluating, batch by batch.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Loader } from '../data/loader.js';
import type { Metrics, Report } from '../reporting/events.js';
import { MeanMetrics } from './metrics.js';
import type { Steps } from './steps.js';

/** Trains on every batch once and reports each step. `epoch` counts from 0. */
export async function trainEpoch(
  steps: Steps,
  loader: Loader,
  { epoch, learningRate, report }: { epoch: number; learningRate: number; report: Report },
): Promise<Metrics> {
  const metrics = new MeanMetrics();
  let batch = 0;
  let lastEnd = performance.now();
  for await (const { pixels, labels, size: images, waitMs } of loader) {
    const result = steps.train({ pixels, labels }, learningRate);
    metrics.add(result);
    batch += 1;
    const now = performance.now();
    report({
      kind: 'step',
      epoch,
      batch,
      batches: loader.batches,
      images,
      loss: result.loss,
      elapsedMs: now - lastEnd,
      waitMs,
    });
    lastEnd = now;
    // A step blocks the thread: signals and the log's writes get their turn here.
    await nextTurn();
  }
  return metrics.result;
}

/** Measures every batch once, changing nothing. */
export async function evaluateAll(steps: Steps, loader: Loader): Promise<Metrics> {
  const metrics = new MeanMetrics();
  for await (const { pixels, labels } of loader) {
    metrics.add(steps.evaluate({ pixels, labels }));
    await nextTurn();
  }
  return metrics.result;
}
