// From options to a network that is ready for its first step: data, device, compiled steps, weights, and loaders of batches.

import type { AugmentOptions } from '../data/augment.js';
import { type Dataset, openDataset } from '../data/dataset.js';
import { type ImageList, inListOrder } from '../data/image-list.js';
import { createLoader } from '../data/loader.js';
import type { Preprocessing } from '../data/preprocessing.js';
import type { Runtime } from '../graph/session.js';
import { dtypeBytes } from '../graph/types.js';
import { requireModel } from '../models/registry.js';
import type { TrainConfig } from '../options.js';
import type { Report, Split } from '../reporting/events.js';
import { openRuntime } from '../tensorflow/runtime.js';
import { countValues, reportArithmetic, reportData, reportKernels, reportModel, reportXla } from './announce.js';
import { type BatchSplit, cutAtLeast } from './batch-parts.js';
import type { Checkpoint } from './checkpoint/contents.js';
import { type DataFingerprint, fingerprintOf, requireSameData } from './checkpoint/fingerprint.js';
import { restoreSteps } from './checkpoint/restore.js';
import { compileSteps } from './compile-steps.js';
import type { AnyLoader } from './epoch.js';
import { openFeatureCache } from './feature-cache.js';
import { requireGpus, requireXla } from './gpus.js';
import { imageCacheFor } from './image-cache.js';
import { findInitialWeights, setInitialWeights } from './initial-weights.js';
import { partsThatFit } from './memory-room.js';
import { choosePrecision, type Precision, precisionToGoOn } from './precision-choice.js';
import { preprocessingFor } from './preprocessing-choice.js';
import { recipeOf, requireFreezable } from './recipe.js';
import type { Steps } from './steps.js';

export interface PrepareSettings {
  /** The checkpoint to go on from. */
  before?: Checkpoint | undefined;
  /** What the data must be. */
  expectedData?: DataFingerprint | undefined;
  report: Report;
}

export interface Prepared {
  dataset: Dataset;
  data: DataFingerprint;
  preprocessing: Preprocessing;
  runtime: Runtime;
  /** A definite one. */
  precision: Precision;
  steps: Steps;
  /** Batches of the images in their order unless told; of what a frozen backbone makes of them, where that is kept. */
  load(split: Split, images: ImageList, pass?: PassOptions): AnyLoader;
  close(): Promise<void>;
}

export interface PassOptions {
  order?: Uint32Array;
  augment?: AugmentOptions;
  firstBatch?: number;
}

/** Throws a `UserError` where options, data or device don't allow it. */
export async function prepareTraining(
  config: TrainConfig,
  { before, expectedData, report }: PrepareSettings,
): Promise<Prepared> {
  requireXla(config);
  const model = requireModel(config.model);
  const preprocessing = { ...preprocessingFor(config.pre, config.model), exif: config.exif };
  requireFreezable(config.freeze, model, preprocessing.crop);
  const found = before ? undefined : await findInitialWeights(config);
  const dataset = await openDataset(config.data_dir, { valSplit: config.val_split });
  const data = fingerprintOf(dataset, config.data_dir);
  const { deterministic } = config;
  const expected = before?.data ?? expectedData;
  if (expected) requireSameData(expected, data);
  const threads = deterministic ? before?.threads : undefined;
  requireGpus(config.gpus, config.device);
  // A definite one already but for users of the library.
  const precision = choosePrecision(precisionToGoOn(config.precision, before?.options), config.device);
  const gpuMemoryMegabytes = config.gpu_memory_limit;
  const { xla } = config;
  const runtime = await openRuntime(config.device, {
    deterministic,
    gpuMemoryMegabytes,
    xla,
    ...(threads && { threads }),
  });
  const { device, tensorflowVersion } = runtime;
  report({ kind: 'device', device, precision, threads: runtime.threads, tensorflow: tensorflowVersion });
  reportArithmetic(runtime, precision, report);
  if (xla) reportXla(device, report);
  if (before) {
    const { path, state } = before;
    report({ kind: 'resumed', path, epoch: state.epoch, step: state.counters.step, history: state.history });
    reportKernels(before.kernels, runtime.kernels.size > 0, report);
  }
  reportData(dataset, report);
  report({ kind: 'dataset', classes: dataset.classes, ...data });

  const images = data.train + data.validation + data.test;
  const imageCache = imageCacheFor(config, { images, preprocessing }, report);
  const steps = await compileSteps(runtime, {
    model,
    input: preprocessing,
    ...recipeOf({ ...config, precision }, dataset),
    images: config.batch_size,
    ...(config.auto_batch && { onSplit: tellSplit }),
  });
  const split = measureMemory();
  if (before) await restoreSteps(steps, before);
  else await setInitialWeights(steps, model.head, { found, seed: config.seed, report });
  if (split) cutAtLeast(steps, split, tellSplit);
  reportModel(steps, config.model, report);

  const features = await openFeatureCache({ config, steps, dataset, preprocessing, runtime, report });
  return {
    ...{ dataset, data, preprocessing, runtime, precision, steps },
    load: (split, images, { order = inListOrder(images.length), ...pass } = {}) => {
      const { batch_size: batchSize, workers } = config;
      if (features) return features.load(split, { order, ...pass });
      return createLoader({ images, order, batchSize, preprocessing, workers, cache: imageCache, ...pass });
    },
    close: async () => {
      await features?.close();
      steps.dispose();
    },
  };

  /** On a GPU, TensorFlow says when there is too little. */
  function measureMemory(): BatchSplit | undefined {
    if (!config.auto_batch || runtime.device === 'cuda') return undefined;
    const batch = { images: Math.min(config.batch_size, dataset.train.length), crop: preprocessing.crop };
    const cached = imageCache?.kind === 'ram' ? imageCache.bytes : 0;
    // Weights are read next, and of a checkpoint the optimizer's state with them.
    const kinds = before ? 1 + steps.slotKinds.length : 1;
    const reserved = cached + kinds * countValues(steps.parameters) * dtypeBytes.float32;
    return { images: batch.images, parts: partsThatFit(steps, { ...batch, reserved }) };
  }

  function tellSplit({ images, parts }: BatchSplit): void {
    const message = `There is no memory for ${images} images at once: each batch is computed in ${parts} parts of ${Math.ceil(images / parts)} or less, and their gradients are added up`;
    report({ kind: 'warning', message });
  }
}
