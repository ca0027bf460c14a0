// One pass over images: training or evaluating, batch by batch.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Loader } from '../data/loader.js';
import type { BatchDone, Metrics, Report } from '../reporting/events.js';
import { MeanMetrics } from './metrics.js';
import type { Mix } from './mixing.js';
import type { StepBatch, StepResult, Steps } from './steps.js';

export interface EpochPlan {
  /** Counts from 0. */
  epoch: number;
  learningRate: number;
  /** Of all but the last layer; the same where none is given. */
  backboneRate?: number;
  /** How the images of a batch are mixed; `batch` counts from 0. */
  mixOf?: (batch: number) => Mix;
  report: Report;
}

/** Trains on every batch once and reports each step. */
export async function trainEpoch(steps: Steps, loader: Loader, plan: EpochPlan): Promise<Metrics> {
  const { epoch, learningRate, backboneRate = learningRate, mixOf, report } = plan;
  return pass(
    loader,
    (batch, index) => steps.train(batch, learningRate, { backboneRate, ...(mixOf && { mix: mixOf(index) }) }),
    (done) => report({ kind: 'step', epoch, ...done }),
  );
}

/** Measures every batch once, changing nothing. */
export async function evaluateAll(steps: Steps, loader: Loader, { report }: { report: Report }): Promise<Metrics> {
  return pass(
    loader,
    (batch) => steps.evaluate(batch),
    (done) => report({ kind: 'evaluation-step', ...done }),
  );
}

async function pass(
  loader: Loader,
  run: (batch: StepBatch, index: number) => StepResult,
  tell: (done: BatchDone) => void,
): Promise<Metrics> {
  const metrics = new MeanMetrics();
  const { batches } = loader;
  let batch = 0;
  let lastEnd = performance.now();
  for await (const { pixels, labels, size: images, waitMs } of loader) {
    const result = run({ pixels, labels }, batch);
    metrics.add(result);
    batch += 1;
    const now = performance.now();
    tell({ batch, batches, images, loss: result.loss, elapsedMs: now - lastEnd, waitMs });
    lastEnd = now;
    // A step blocks the thread: signals and the log's writes get their turn here.
    await nextTurn();
  }
  return metrics.result;
}
