// Trained networks for programs: what `deep-cnn predict` tells, without its tables.

import { setDecodeThreads } from '../data/threads.js';
import type { Prediction } from '../inference/predictions.js';
import { type OptionsOf, readValues } from '../options/from-values.js';
import { computeOptions, networkOptions } from '../options/network-options.js';

/**
 * Which network, and how to compute: one of `run`, `weights` and `model` names it, as on the command line.
 *
 * @interface
 */
export type ModelOptions = OptionsOf<typeof networkOptions & typeof computeOptions>;

export interface PredictOptions {
  /** The most likely classes to tell of each image, 1 by default. */
  top_k?: number;
}

/** A network that is ready to be asked. */
export interface LoadedModel {
  /** Its name, as torchvision has it. */
  readonly model: string;
  /** In the order of the network's outputs. */
  readonly classes: readonly string[];
  /**
   * Tells of image files and of the images in folders, in their order, what the network sees in them; an image that can't be
   * read has an `error` in its prediction. Images are decoded in advance; computing blocks the thread.
   *
   * Throws a `UserError` for a path that leads nowhere.
   */
  predict(images: string | readonly string[], options?: PredictOptions): AsyncGenerator<Prediction, void, void>;
  /** Gives its memory back. */
  close(): void;
}

/**
 * Loads the network of a run, of a file of weights, or of a model with its published ImageNet weights, which are fetched
 * where need be. The first call of a process decides on the device.
 *
 * Rejects with a `UserError` where the options name no network or one that can't be had.
 */
export async function loadModel(options: ModelOptions): Promise<LoadedModel> {
  const { values } = readValues({ ...networkOptions, ...computeOptions }, options);
  setDecodeThreads(values.workers);
  const [{ openNetwork }, { startClassifier }, { predictions }] = await Promise.all([
    import('../inference/open-network.js'),
    import('../inference/start-classifier.js'),
    import('./run-images.js'),
  ]);
  const network = await openNetwork(values);
  const { batch_size: batchSize, workers } = values;
  const { classifier } = await startClassifier(network, values, { batchSize });
  const { model, classes, preprocessing } = network;
  return {
    model,
    classes,
    predict: (images, { top_k: topK = 1 } = {}) => {
      const paths = typeof images === 'string' ? [images] : images;
      return predictions({ classifier, classes, topK, preprocessing, batchSize, workers }, paths);
    },
    close: () => classifier.close(),
  };
}

/** `loadModel`, its predictions of these images, and its end. */
export async function* predict(
  images: string | readonly string[],
  options: ModelOptions & PredictOptions,
): AsyncGenerator<Prediction, void, void> {
  const { top_k = 1, ...modelOptions } = options;
  const model = await loadModel(modelOptions);
  try {
    yield* model.predict(images, { top_k });
  } finally {
    model.close();
  }
}
