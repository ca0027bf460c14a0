// A training run, from options to the saved network.

import type { AugmentOptions } from '../data/augment.js';
import { type Dataset, openDataset } from '../data/dataset.js';
import type { ImageList } from '../data/image-list.js';
import { createLoader, type Loader } from '../data/loader.js';
import { epochOrder } from '../data/random.js';
import { freezingOf } from '../models/freezing.js';
import type { Model } from '../models/model.js';
import { findModel } from '../models/registry.js';
import { structureOf } from '../models/structure.js';
import type { TrainConfig } from '../options.js';
import type { EpochResult, Metrics, Report } from '../reporting/events.js';
import { modelFile } from '../reporting/run-files.js';
import { openRuntime } from '../tensorflow/runtime.js';
import type { FoundWeights } from '../weights/sources.js';
import { balancedWeights, classCounts } from './class-weights.js';
import { evaluateAll, trainEpoch } from './epoch.js';
import { findInitialWeights, setInitialWeights } from './initial-weights.js';
import { drawMix } from './mixing.js';
import { saveModel } from './model-file.js';
import { preprocessingFor } from './preprocessing-choice.js';
import { learningRateAt } from './schedule.js';
import { compileSteps, type Steps } from './steps.js';

/**
 * Trains, validates after each epoch, tests once at the end, and leaves the network in outputs/models. Everything worth
 * knowing on the way goes to `report`. Throws a `UserError` where options or data don't allow it.
 */
export async function train(config: TrainConfig, report: Report): Promise<void> {
  report({ kind: 'run', parameters: config });
  const model = requireModel(config.model);
  const preprocessing = preprocessingFor(config.pre, config.model);
  requireFreezable(config.freeze, model, preprocessing.crop);
  const found = await findInitialWeights(config);
  const dataset = await openDataset(config.data_dir, { valSplit: config.val_split });
  const runtime = await openRuntime(config.device);
  report({ kind: 'device', device: runtime.device });
  reportData(dataset, report);

  const steps = await compileSteps(runtime, { model, input: preprocessing, ...recipeOf(config, dataset) });
  await prepareWeights(steps, model, { ...config, found }, report);

  const started = performance.now();
  let result: EpochResult | undefined;
  for (let epoch = 0; epoch < config.epochs; epoch++) {
    result = await runEpoch(epoch);
    await saveModel(modelFile(config), {
      weights: steps.readWeights(),
      config,
      classes: dataset.classes,
      preprocessing,
      result,
      tensorflowVersion: runtime.tensorflowVersion,
    });
    report({ kind: 'epoch-end', result });
  }
  if (!result) throw new Error('internal: a run without epochs');
  report({ kind: 'saved', what: 'model', path: modelFile(config) });
  report({ kind: 'trained', seconds: secondsSince(started) });

  const test = dataset.test && (await runTest(dataset.test));
  report({ kind: 'finished', train: result.train, validation: result.validation, test });
  steps.dispose();

  async function runEpoch(epoch: number): Promise<EpochResult> {
    const epochStarted = performance.now();
    const learningRate = learningRateAt(epoch, config);
    const augment = { kind: config.augment, seed: config.seed, epoch };
    const loader = load(dataset.train, { order: epochOrder(dataset.train.length, config.seed, epoch), augment });
    report({ kind: 'epoch-start', epoch, epochs: config.epochs, batches: loader.batches, learningRate });
    if (epoch + 1 === config.unfreeze_epoch) steps.unfreeze();
    const backboneRate = learningRate * ((config.lr_backbone ?? config.lr) / config.lr);
    const mixOf = (batch: number) => drawMix(config, config.seed, epoch * loader.batches + batch, preprocessing.crop);
    const plan = { epoch, learningRate, backboneRate, report, ...(isMixed(config) && { mixOf }) };
    const trained = await trainEpoch(steps, loader, plan);
    const imagesPerSecond = trained.images / secondsSince(epochStarted);
    const validation = await validate();
    const seconds = secondsSince(epochStarted);
    return { epoch: epoch + 1, train: trained, validation, learningRate, seconds, imagesPerSecond };
  }

  async function validate(): Promise<Metrics | undefined> {
    return dataset.validation.length === 0 ? undefined : evaluate('val', dataset.validation);
  }

  async function runTest(images: ImageList): Promise<Metrics> {
    const testStarted = performance.now();
    const metrics = await evaluate('test', images);
    report({ kind: 'tested', seconds: secondsSince(testStarted), metrics });
    return metrics;
  }

  async function evaluate(split: 'val' | 'test', images: ImageList): Promise<Metrics> {
    const loader = load(images);
    report({ kind: 'evaluation-start', split, batches: loader.batches });
    return evaluateAll(steps, loader, { report });
  }

  function load(images: ImageList, pass: { order?: Uint32Array; augment?: AugmentOptions } = {}): Loader {
    const { batch_size: batchSize, workers } = config;
    return createLoader({ images, order: inOrder(images.length), batchSize, preprocessing, workers, ...pass });
  }
}

/** Throws a `UserError` where `freeze` does not fit the model, before anything is downloaded or created. */
function requireFreezable(freeze: string, model: Model, crop: number): void {
  if (freeze === 'none') return;
  const { parameters } = structureOf(model, { classes: 2, crop });
  const named = parameters.all.map(({ name, spec }) => ({ name, trainable: spec.trainable }));
  freezingOf(freeze, named, model.head);
}

/** What the options and the data say of how the network is to be trained. */
function recipeOf(config: TrainConfig, { classes, train }: Dataset) {
  const { optimizer: kind, momentum, weight_decay: weightDecay } = config;
  return {
    classes: classes.length,
    optimizer: kind === 'adam' ? { kind, weightDecay } : { kind, momentum, weightDecay },
    labelSmoothing: config.label_smoothing,
    ...(config.class_weights === 'auto' && { classWeights: balancedWeights(classCounts(train, classes.length)) }),
    freeze: config.freeze,
    unfreezeLater: config.unfreeze_epoch > 0,
    mixing: isMixed(config),
  };
}

const isMixed = ({ mixup, cutmix }: TrainConfig) => mixup > 0 || cutmix > 0;

function requireModel(name: string): Model {
  const model = findModel(name);
  if (!model) throw new Error(`internal: the model ${name} was not checked`);
  return model;
}

function reportData({ classes, train, validation, test, warnings }: Dataset, report: Report): void {
  const splits = [
    ['train', train],
    ['val', validation],
    ['test', test],
  ] as const;
  for (const [split, images] of splits) {
    if (images && images.length > 0) report({ kind: 'data', split, images: images.length, classes: classes.length });
  }
  for (const message of warnings) report({ kind: 'warning', message });
}

async function prepareWeights(
  steps: Steps,
  model: Model,
  { found, ...config }: TrainConfig & { found: FoundWeights | undefined },
  report: Report,
): Promise<void> {
  const { replacedHead } = await setInitialWeights(steps, model.head, { found, seed: config.seed });
  report({ kind: 'weights', source: found?.source, newLayer: replacedHead ? model.head : undefined });
  const parameters = countValues(steps.parameters.filter((parameter) => parameter.trainable));
  report({ kind: 'model', name: config.model, parameters, trained: countValues(steps.trained) });
}

function countValues(parameters: readonly { shape: readonly number[] }[]): number {
  return parameters.reduce((total, { shape }) => total + shape.reduce((all, size) => all * size, 1), 0);
}

const inOrder = (count: number) => Uint32Array.from({ length: count }, (_, index) => index);

function secondsSince(startMs: number): number {
  return (performance.now() - startMs) / 1000;
}
