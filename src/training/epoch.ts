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
  /**
   * Called after each optimizer step, and each batch that is evaluated; what it throws ends the pass. `batches` are those
   * that are done, `elapsedMs` is the time of all batches of the step.
   */
  afterStep?: (done: { batches: number; elapsedMs: number }) => Promise<void> | void;
}

/** Hears of each batch that is evaluated; its scores are [N, classes], row-major. */
export type OnScores = (batch: AnyBatch, scores: Float32Array) => void;

export interface EpochPlan extends PassPlan {
  /** Counts from 0. */
  epoch: number;
  /** Asked for each step, as is the next one. */
  learningRate: number;
  /** Of all but the last layer; the same where none is given. */
  backboneRate?: number;
  /** Batches whose gradients make one step; 1 where none is given. */
  accumulate?: number;
  /** How the images of a batch are mixed; `batch` counts from 0. */
  mixOf?: (batch: number) => Mix;
  /** Where the steps are added up; those of batches before the loader's first may be in it. */
  metrics?: MeanMetrics;
  /** Whether a step counts; all do unless told. */
  accepts?: (result: StepResult, batch: AnyBatch) => boolean;
}

/** Trains on every batch of the loader once and reports each step. */
export async function trainEpoch(steps: Steps, loader: AnyLoader, plan: EpochPlan): Promise<Metrics> {
  const { epoch, mixOf, metrics, accepts, report } = plan;
  const rates = () => [plan.learningRate, { backboneRate: plan.backboneRate ?? plan.learningRate }] as const;
  const { accumulate = 1 } = plan;
  const mixed = (batch: AnyBatch) => (mixOf ? { mix: mixOf(batch.position) } : {});
  const train = (batch: AnyBatch) => {
    const [learningRate, backbone] = rates();
    return steps.train(batch, learningRate, { ...backbone, ...mixed(batch) });
  };
  return pass(loader, plan, {
    metrics: metrics ?? new MeanMetrics(),
    run: (batch) => (accumulate > 1 ? steps.accumulate(batch, mixed(batch)) : train(batch)),
    endsStep: (done) => done % accumulate === 0 || done === loader.batches,
    ...(accumulate > 1 && { endStep: () => steps.endGroup(...rates()) }),
    ...(accepts && { accepts }),
    tell: (done) => report({ kind: 'step', epoch, ...done }),
  });
}

/** Measures every batch once, changing nothing. */
export async function evaluateAll(
  steps: Steps,
  loader: AnyLoader,
  plan: PassPlan & { onScores?: OnScores | undefined },
): Promise<Metrics> {
  return pass(loader, plan, {
    metrics: new MeanMetrics(),
    run: (batch) => {
      const { logits, ...result } = steps.evaluate(batch);
      plan.onScores?.(batch, logits);
      return result;
    },
    tell: (done) => plan.report({ kind: 'evaluation-step', ...done }),
  });
}

interface PassParts {
  metrics: MeanMetrics;
  run: (batch: AnyBatch) => StepResult;
  /** Whether so many batches end with a whole step; any number does unless told. */
  endsStep?: (done: number) => boolean;
  endStep?: () => void;
  accepts?: NonNullable<EpochPlan['accepts']>;
  tell: (done: BatchDone) => void;
}

async function pass(loader: AnyLoader, plan: PassPlan, parts: PassParts): Promise<Metrics> {
  const { metrics, run, endsStep = () => true, endStep, accepts = () => true, tell } = parts;
  const { batches } = loader;
  let lastEnd = performance.now();
  let stepMs = 0;
  for await (const batch of watched(loader, plan.whileWaiting)) {
    plan.onBatch?.(batch);
    const { size: images, waitMs } = batch;
    // A batch of which no image could be read is left out, but counted.
    const result = images === 0 ? undefined : run(batch);
    if (result && accepts(result, batch)) metrics.add(result);
    const done = batch.position + 1;
    const isStep = endsStep(done);
    if (isStep) endStep?.();
    const now = performance.now();
    const elapsedMs = now - lastEnd;
    lastEnd = now;
    stepMs += elapsedMs;
    tell({ batch: done, batches, images, loss: result?.loss ?? Number.NaN, elapsedMs, waitMs });
    // A step blocks the thread: signals and the log's writes get their turn here.
    await heardSignals();
    if (!isStep) continue;
    await plan.afterStep?.({ batches: done, elapsedMs: stepMs });
    stepMs = 0;
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
