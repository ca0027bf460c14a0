// What the options say of the network and how it is to be trained.

import type { Dataset } from '../data/dataset.js';
import { freezingOf } from '../models/freezing.js';
import type { Model } from '../models/model.js';
import { structureOf } from '../models/structure.js';
import type { TrainConfig } from '../options.js';
import { balancedWeights, classCounts } from './class-weights.js';
import { keepsFeatures } from './feature-cache.js';
import { floatTypeOf, type Precision } from './precision-choice.js';

/** Throws a `UserError` where `freeze` does not fit the model, before anything is downloaded or created. */
export function requireFreezable(freeze: string, model: Model, crop: number): void {
  if (freeze === 'none') return;
  const { parameters } = structureOf(model, { classes: 2, crop });
  const specs = parameters.all.map(({ spec }) => spec);
  freezingOf(freeze, specs, model.head);
}

/** What the options and the data say of how the network is to be trained. */
export function recipeOf(config: TrainConfig & { precision: Precision }, { classes, train }: Dataset) {
  const { optimizer: kind, momentum, weight_decay: weightDecay } = config;
  return {
    classes: classes.length,
    precision: floatTypeOf(config.precision),
    optimizer: kind === 'adam' ? { kind, weightDecay } : { kind, momentum, weightDecay },
    labelSmoothing: config.label_smoothing,
    ...(config.class_weights === 'auto' && { classWeights: balancedWeights(classCounts(train, classes.length)) }),
    ...(config.gpus > 1 && { devices: Array.from({ length: config.gpus }, (_, index) => `/device:GPU:${index}`) }),
    freeze: config.freeze,
    unfreezeLater: config.unfreeze_epoch > 0,
    features: keepsFeatures(config),
    mixing: isMixed(config),
    // A part of a batch that finds no memory has then changed nothing.
    guard: config.nan === 'skip' || config.auto_batch,
    accumulate: config.accumulate > 1 || config.auto_batch,
  };
}

/** Whether batches are mixed. */
export const isMixed = ({ mixup, cutmix }: TrainConfig) => mixup > 0 || cutmix > 0;
