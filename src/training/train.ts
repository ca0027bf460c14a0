// A training run, from options to the saved network.

import type { ImageList, LabelledImage } from '../data/image-list.js';
import { epochOrder } from '../data/random.js';
import { UserError } from '../errors.js';
import type { TrainConfig } from '../options.js';
import type { Metrics, Report } from '../reporting/events.js';
import { nameRunFiles, type RunFiles } from '../reporting/run-files.js';
import { reportModels, reportSteps, stateBytes } from './announce.js';
import { createBadImages, stillUnreadable } from './bad-images.js';
import type { FoundCheckpoint } from './checkpoint/find.js';
import type { DataFingerprint } from './checkpoint/fingerprint.js';
import { evaluateAll, type OnScores, type PassPlan, trainEpoch } from './epoch.js';
import { LossCheck } from './loss-check.js';
import { drawMix } from './mixing.js';
import { explainMemory } from './out-of-memory.js';
import { prepareTraining } from './prepare.js';
import { isMixed } from './recipe.js';
import { resumeCommand } from './resume-command.js';
import { RunRecord } from './run-record.js';
import { learningRateAt } from './schedule.js';
import { neverStopping, type Stopping } from './stopping.js';

export interface TrainSetting {
  /** The checkpoint to go on from. */
  from?: FoundCheckpoint | undefined;
  /** When to stop before the end. */
  stopping?: Stopping;
  /** Where the run logs: kept in its checkpoints, so that it goes on writing there. */
  files?: RunFiles;
  /** What the data must be, where the run repeats another. */
  expectedData?: DataFingerprint | undefined;
  /** Whether the run's name is still this process's; asked before each save. */
  holdsName?: () => boolean;
  /** Hears of each batch of the test at the end; scores are [N, classes], row-major. */
  onTested?: (images: readonly LabelledImage[], scores: Float32Array) => void;
}

/**
 * Trains, validates after each epoch, tests once at the end, and leaves the network in outputs/models. Everything worth
 * knowing on the way goes to `report`. Returns `stopped` when `stopping` wanted it and there is a checkpoint to go on
 * from. Throws a `UserError` where options or data don't allow it.
 */
export async function train(
  config: TrainConfig,
  report: Report,
  {
    from,
    stopping = neverStopping,
    files = nameRunFiles(config, new Date()),
    expectedData,
    holdsName = () => true,
    onTested,
  }: TrainSetting = {},
): Promise<'finished' | 'stopped'> {
  report({ kind: 'run', parameters: config });
  const before = from?.checkpoint;
  const prepared = await prepareTraining(config, { before, expectedData, report });
  const { dataset, data, preprocessing, runtime, precision, steps, load } = prepared;

  const badImages = createBadImages({
    policy: config.bad_images,
    total: data.train + data.validation + data.test,
    // Those that were mended in the meantime count no more.
    known: await stillUnreadable(before?.state.badImages ?? [], { preprocessing, workers: config.workers }),
    report,
  });
  const { classes } = dataset;
  const { tensorflowVersion } = runtime;
  const about = { classes, preprocessing, data, files, threads: runtime.threads, kernels: runtime.kernels.size > 0 };
  const record = await RunRecord.open(
    { config: { ...config, precision }, steps, badImages, ...about, tensorflowVersion, report, holdsName },
    from,
  );
  stopping.noteStateBytes(stateBytes(steps));
  const lossCheck = new LossCheck(config.nan, report);
  const passPlan: PassPlan = {
    report,
    onBatch: (batch) => {
      badImages.note(batch.bad);
      const trouble = 'cacheTrouble' in batch ? batch.cacheTrouble : undefined;
      if (trouble) report({ kind: 'warning', message: `${trouble}: they are decoded in every epoch` });
    },
    whileWaiting: stopIfAsked,
    afterStep: ({ elapsedMs }) => noteStep(elapsedMs),
  };
  reportSteps(config, steps.parts, report);
  record.startClock();
  try {
    while (!record.isOver) {
      stopIfAsked();
      await runEpoch();
    }
    return await finish();
  } catch (error) {
    if (error instanceof StopNow) return await stop(error.reason);
    // The user can mend it and go on; but a network that broke down is not worth keeping.
    if (error instanceof UserError && !lossCheck.hasFailed) {
      steps.dropGroup();
      await record.save();
    }
    throw explainMemory(error, { batchSize: config.batch_size, checkpoint: record.checkpointPath });
  } finally {
    await prepared.close();
  }

  async function runEpoch(): Promise<void> {
    const { epoch, batch: firstBatch } = record;
    const learningRate = learningRateAt(epoch, config);
    const augment = { kind: config.augment, seed: config.seed, epoch };
    const order = epochOrder(dataset.train.length, config.seed, epoch);
    const loader = load('train', dataset.train, { order, augment, firstBatch });
    report({ kind: 'epoch-start', epoch, epochs: config.epochs, batches: loader.batches, learningRate });
    if (config.unfreeze_epoch > 0 && epoch + 1 >= config.unfreeze_epoch && !steps.isUnfrozen) steps.unfreeze();
    const backboneRate = learningRate * ((config.lr_backbone ?? config.lr) / config.lr);
    const mixOf = (batch: number) => drawMix(config, config.seed, epoch * loader.batches + batch, preprocessing.crop);
    const trained = await trainEpoch(steps, loader, {
      ...passPlan,
      epoch,
      learningRate,
      backboneRate,
      accumulate: config.accumulate,
      metrics: record.metrics,
      ...(isMixed(config) && { mixOf }),
      accepts: (result, { indices }) => {
        const { step, skipped } = steps.counters;
        const files = () => Array.from(indices, (index) => dataset.train.at(index).path);
        return lossCheck.accepts(result, { step: step + skipped, epoch: epoch + 1, files });
      },
      afterStep: async ({ batches, elapsedMs }) => {
        record.noteStep(batches);
        if (record.isSaveDue) await save();
        noteStep(elapsedMs);
      },
    });
    record.noteStep(loader.batches);
    const imagesPerSecond = trained.images / record.epochSeconds;
    const validation = dataset.validation.length === 0 ? undefined : await evaluate('val', dataset.validation);
    const seconds = record.epochSeconds;
    const result = { epoch: epoch + 1, train: trained, validation, learningRate, seconds, imagesPerSecond };
    await record.endEpoch(result);
    report({ kind: 'epoch-end', result });
  }

  async function finish(): Promise<'finished'> {
    await record.requireModel();
    reportModels(record.history, config, report);
    report({ kind: 'trained', seconds: record.seconds });
    const test = config.test && dataset.test ? await runTest(dataset.test) : undefined;
    const last = record.history.at(-1);
    if (!last) throw new Error('internal: a run without epochs');
    report({ kind: 'finished', train: last.train, validation: last.validation, test });
    return 'finished';
  }

  async function stop(reason: string): Promise<'stopped'> {
    // A step of several batches may be half done.
    steps.dropGroup();
    await save();
    const { checkpointPath: path } = record;
    if (path === undefined) {
      throw new UserError(`The run was stopped by ${reason}, and nothing could be saved`, {
        mend: 'Make room and begin anew',
      });
    }
    report({ kind: 'stopped', reason, step: steps.counters.step, path, command: resumeCommand(config) });
    return 'stopped';
  }

  async function save(): Promise<void> {
    const started = performance.now();
    await record.save();
    stopping.noteSave(performance.now() - started);
  }

  function noteStep(elapsedMs: number): void {
    stopping.noteStep(elapsedMs);
    stopIfAsked();
  }

  function stopIfAsked(): void {
    const reason = stopping.reason();
    if (reason !== undefined) throw new StopNow(reason);
  }

  async function runTest(images: ImageList): Promise<Metrics> {
    const testStarted = performance.now();
    const metrics = await evaluate('test', images, (batch, scores) => {
      onTested?.(
        Array.from(batch.indices, (index) => images.at(index)),
        scores,
      );
    });
    report({ kind: 'tested', seconds: secondsSince(testStarted), metrics });
    return metrics;
  }

  async function evaluate(split: 'val' | 'test', images: ImageList, onScores?: OnScores): Promise<Metrics> {
    const loader = load(split, images);
    report({ kind: 'evaluation-start', split, batches: loader.batches });
    return evaluateAll(steps, loader, { ...passPlan, onScores });
  }
}

/** Leaves whatever the run is in the middle of, a step excepted. */
class StopNow extends Error {
  readonly reason: string;

  constructor(reason: string) {
    super(`internal: stopped by ${reason}, and nobody noticed`);
    this.reason = reason;
  }
}

function secondsSince(startMs: number): number {
  return (performance.now() - startMs) / 1000;
}
