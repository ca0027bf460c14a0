// Images from files through a classifier, batch by batch in their order, while the next ones are decoded.

import { type ImageList, inListOrder } from '../data/image-list.js';
import { type Batch, createLoader, type Loader } from '../data/loader.js';
import type { Preprocessing } from '../data/preprocessing.js';
import { defined } from '../defined.js';
import type { Classifier } from './classifier.js';

/** What came of one image. */
export type ImageResult = ClassifiedImage | UnreadImage;

export interface ClassifiedImage {
  path: string;
  /** As its list has it. */
  label: number;
  /** [classes] */
  probabilities: Float32Array;
  logProbabilities: Float32Array;
  /** Where explanations are wanted. */
  explanation?: Explanation;
}

export interface UnreadImage {
  path: string;
  /** Why it could not be read: a phrase without a full stop. */
  error: string;
}

/** Which places of an image speak for a class. */
export interface Explanation {
  class: number;
  /** How much each place does, 0 or more; row-major, [height, width], over the square that the network saw. */
  map: Float32Array;
  height: number;
  width: number;
}

export interface ClassifyOptions {
  preprocessing: Preprocessing;
  /** Images that are computed at the same time. */
  batchSize: number;
  /** Decoding threads to keep busy. */
  workers: number;
  /** Which class of an image to explain; nothing is explained without it. */
  explain?: ((probabilities: Float32Array) => number) | undefined;
}

/** Yields the results of a batch at a time, in the order of the list. */
export async function* classifyImages(
  classifier: Classifier,
  images: ImageList,
  options: ClassifyOptions,
): AsyncGenerator<ImageResult[], void, void> {
  for await (const batch of loaderOf(images, options)) yield resultsOf(classifier, batch, images, options);
}

/** Paths at a time that are in memory; between two lots the loader runs empty for a moment. */
const lotSize = 1024;

/**
 * As `classifyImages`, of paths that come one by one, of which there may be any number: few are in memory at a time.
 * Labels mean nothing then.
 */
export async function* classifyPaths(
  classifier: Classifier,
  paths: AsyncIterable<string>,
  options: ClassifyOptions,
): AsyncGenerator<ImageResult[], void, void> {
  for await (const lot of lots(paths, lotSize)) {
    const images = { length: lot.length, at: (index: number) => ({ path: defined(lot[index]), label: -1 }) };
    yield* classifyImages(classifier, images, options);
  }
}

function loaderOf(images: ImageList, { preprocessing, batchSize, workers }: ClassifyOptions): Loader {
  const order = inListOrder(images.length);
  return createLoader({ images, order, preprocessing, batchSize, workers });
}

function resultsOf(
  classifier: Classifier,
  batch: Batch,
  images: ImageList,
  { explain }: ClassifyOptions,
): ImageResult[] {
  const read = batch.size > 0 ? readResults(classifier, batch, images, explain) : [];
  const results: (readonly [number, ImageResult])[] = [
    ...read.map((result, position) => [defined(batch.indices[position]), result] as const),
    ...batch.bad.map(({ path, reason, index }) => [index, { path, error: reason }] as const),
  ];
  return results.sort(([a], [b]) => a - b).map(([, result]) => result);
}

function readResults(
  classifier: Classifier,
  batch: Batch,
  images: ImageList,
  explain: ClassifyOptions['explain'],
): ClassifiedImage[] {
  const { probabilities, logProbabilities, activations } = classifier.classify(batch);
  const classes = probabilities.length / batch.size;
  const rowOf = (all: Float32Array, position: number) => all.subarray(position * classes, (position + 1) * classes);
  const results = Array.from(batch.indices, (index, position) => ({
    ...images.at(index),
    probabilities: rowOf(probabilities, position),
    logProbabilities: rowOf(logProbabilities, position),
  }));
  if (!explain || !activations) return results;
  const explained = results.map((result) => explain(result.probabilities));
  const { data, height, width } = classifier.explain(activations, explained);
  return results.map((result, position) => {
    const map = data.subarray(position * height * width, (position + 1) * height * width);
    return { ...result, explanation: { class: defined(explained[position]), map, height, width } };
  });
}

/** So many at a time; the next ones are asked for while these are used. */
async function* lots<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[], void, void> {
  const source = items[Symbol.asyncIterator]();
  const take = async () => {
    const lot: T[] = [];
    while (lot.length < size) {
      const { value, done } = await source.next();
      if (done) break;
      lot.push(value);
    }
    return lot;
  };
  let coming = take();
  try {
    for (let lot = await coming; lot.length > 0; lot = await coming) {
      coming = take();
      // What goes wrong is told when its turn has come.
      coming.catch(() => {});
      yield lot;
    }
  } finally {
    // Not awaited: it comes after an item that may never come.
    source.return?.()?.catch(() => {});
  }
}
