// One pass over images: training or evaluating, batch by batch.

import type { FeatureBatch } from '../data/feature-loader.js';
import type { Batch, Loader } from '../data/loader.js';
import type { BatchDone, Metrics, Report } from '../reporting/events.js';
import { MeanMetrics } from './metrics.js';
import type { Mix } from './mixing.js';
import type { StepResult, Steps } from './steps.js';
import { heardSignals } from './stopping.js';

/** A pass is over images, or over what a frozen backbone makes of them. */
export type AnyBatch = Batch | FeatureBatch;
export type AnyLoader = Loader<AnyBatch>;

export interface PassPlan {
  report: Report;
  /** Hears of each batch before its step. */
  onBatch?: (batch: AnyBatch) => void;
  /** Called once a second while a batch is waited for, as from a file system that hangs; what it throws ends the pass. */
  whileWaiting?: () => void;
  /** Called after each step; what it throws ends the pass. `batches` are those that are done. */
  afterStep?: (done: { batches: number; elapsedMs: number }) => Promise<void> | void;
}

export interface EpochPlan extends PassPlan {
  /** Counts from 0. */
  epoch: number;
  learningRate: number;
  /** Of all but the last layer; the same where none is given. */
  backboneRate?: number;
  /** How the images of a batch are mixed; `batch` counts from 0. */
  mixOf?: (batch: number) => Mix;
  /** Where the steps are added up; those of batches before the loader's first may be in it. */
  metrics?: MeanMetrics;
  /** Whether a step counts; all do unless told. */
  accepts?: (result: StepResult, batch: AnyBatch) => boolean;
}

/** Trains on every batch of the loader once and reports each step. */
export async function trainEpoch(steps: Steps, loader: AnyLoader, plan: EpochPlan): Promise<Metrics> {
  const { epoch, learningRate, backboneRate = learningRate, mixOf, metrics, accepts, report } = plan;
  return pass(loader, plan, {
    metrics: metrics ?? new MeanMetrics(),
    run: (batch) => steps.train(batch, learningRate, { backboneRate, ...(mixOf && { mix: mixOf(batch.position) }) }),
    accepts: (result, batch) => accepts?.(result, batch) ?? true,
    tell: (done) => report({ kind: 'step', epoch, ...done }),
  });
}

/** Measures every batch once, changing nothing. */
export async function evaluateAll(steps: Steps, loader: AnyLoader, plan: PassPlan): Promise<Metrics> {
  return pass(loader, plan, {
    metrics: new MeanMetrics(),
    run: (batch) => steps.evaluate(batch),
    accepts: () => true,
    tell: (done) => plan.report({ kind: 'evaluation-step', ...done }),
  });
}

interface PassParts {
  metrics: MeanMetrics;
  run: (batch: AnyBatch) => StepResult;
  accepts: (result: StepResult, batch: AnyBatch) => boolean;
  tell: (done: BatchDone) => void;
}

async function pass(loader: AnyLoader, plan: PassPlan, { metrics, run, accepts, tell }: PassParts): Promise<Metrics> {
  const { batches } = loader;
  let lastEnd = performance.now();
  for await (const batch of watched(loader, plan.whileWaiting)) {
    plan.onBatch?.(batch);
    const { size: images, waitMs } = batch;
    // A batch of which no image could be read is left out, but counted.
    const result = images === 0 ? undefined : run(batch);
    if (result && accepts(result, batch)) metrics.add(result);
    const now = performance.now();
    const elapsedMs = now - lastEnd;
    lastEnd = now;
    const done = batch.position + 1;
    tell({ batch: done, batches, images, loss: result?.loss ?? Number.NaN, elapsedMs, waitMs });
    // A step blocks the thread: signals and the log's writes get their turn here.
    await heardSignals();
    await plan.afterStep?.({ batches: done, elapsedMs });
  }
  return metrics.result;
}

const watchMs = 1000;

/** The same batches. What `watch` throws ends the wait at once: nothing is waited for any more. */
async function* watched(loader: AnyLoader, watch: (() => void) | undefined): AsyncGenerator<AnyBatch, void, void> {
  if (!watch) return yield* loader;
  const batches = loader[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { value, done } = await watchedWhile(batches.next(), watch);
      if (done) return;
      yield value;
    }
  } finally {
    // Not awaited: it comes after the batch that may never come.
    batches.return?.()?.catch(() => undefined);
  }
}

function watchedWhile<T>(awaited: Promise<T>, watch: () => void): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setInterval(() => {
      try {
        watch();
      } catch (error) {
        clearInterval(timer);
        reject(error);
      }
    }, watchMs);
    awaited.then(resolve, reject).finally(() => clearInterval(timer));
  });
}
