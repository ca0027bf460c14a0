// Runs the learning-rate range test with the steps, the data and the memory of training. Nothing of it stays.

import { epochOrder } from '../data/random.js';
import { UserError } from '../errors.js';
import type { TrainConfig } from '../options.js';
import type { Report } from '../reporting/events.js';
import { reportSteps } from './announce.js';
import { createBadImages } from './bad-images.js';
import { trainEpoch } from './epoch.js';
import { LearningRateRange, type RangePoint, type RangeSettings } from './lr-range.js';
import { drawMix } from './mixing.js';
import { explainMemory } from './out-of-memory.js';
import { prepareTraining } from './prepare.js';
import { isMixed } from './recipe.js';

export interface RangeTestResult {
  points: readonly RangePoint[];
  /** Whether the loss grew so far that the last steps were left out. */
  hasDiverged: boolean;
}

/**
 * Trains for so many steps, as many epochs as that takes, while the rate rises. The rate of all but the last layer keeps
 * its ratio (`--lr_backbone` to `--lr`), and what is frozen stays so. `onStep` hears of each step. Throws a `UserError`
 * where options or data don't allow it.
 */
export async function runRangeTest(
  config: TrainConfig,
  settings: RangeSettings,
  { report, onStep }: { report: Report; onStep: (done: number) => void },
): Promise<RangeTestResult> {
  const prepared = await prepareTraining(config, { report });
  const { dataset, data, preprocessing, steps, load } = prepared;
  const range = new LearningRateRange(settings);
  const total = data.train + data.validation + data.test;
  const badImages = createBadImages({ policy: config.bad_images, total, report });
  const backboneShare = (config.lr_backbone ?? config.lr) / config.lr;
  reportSteps(config, steps.parts, report);
  try {
    for (let epoch = 0; !range.isOver; epoch++) await runEpoch(epoch);
  } catch (error) {
    if (!(error instanceof RangeIsOver)) throw explainMemory(error, { batchSize: config.batch_size });
  } finally {
    await prepared.close();
  }
  return { points: range.points, hasDiverged: range.hasDiverged };

  async function runEpoch(epoch: number): Promise<void> {
    const order = epochOrder(dataset.train.length, config.seed, epoch);
    const augment = { kind: config.augment, seed: config.seed, epoch };
    const loader = load('train', dataset.train, { order, augment });
    const before = range.points.length;
    /** Of the batches of the step in progress. */
    const losses: { loss: number; images: number }[] = [];
    await trainEpoch(steps, loader, {
      ...{ report: () => {}, epoch, accumulate: config.accumulate },
      get learningRate() {
        return range.learningRate;
      },
      get backboneRate() {
        return range.learningRate * backboneShare;
      },
      onBatch: ({ bad }) => badImages.note(bad),
      ...(isMixed(config) && {
        mixOf: (batch) => drawMix(config, config.seed, epoch * loader.batches + batch, preprocessing.crop),
      }),
      accepts: ({ loss, images, applied }) => {
        // In float16 a step is left out while its scale finds its place; the loss is as good as any.
        losses.push({ loss, images });
        return applied;
      },
      afterStep: () => {
        if (losses.length === 0) return;
        range.note(meanLoss(losses.splice(0)));
        onStep(range.points.length);
        if (range.isOver) throw new RangeIsOver();
      },
    });
    if (range.points.length === before) {
      throw new UserError('None of the training images can be read', {
        mend: 'Look at the folder with `deep-cnn data check`',
      });
    }
  }
}

function meanLoss(batches: readonly { loss: number; images: number }[]): number {
  const images = batches.reduce((sum, batch) => sum + batch.images, 0);
  return batches.reduce((sum, { loss, images: weight }) => sum + loss * weight, 0) / images;
}

/** Leaves the epoch where the test ends. */
class RangeIsOver extends Error {
  constructor() {
    super('internal: a range test is over, and nobody noticed');
  }
}
