// Batches of features in place of pixels: the same images in the same order as the loader's. What is not kept is decoded
// and computed on the way, and kept.

import type { FeatureList } from './feature-list.js';
import { type BadImage, type Batch, createLoader, type Loader } from './loader.js';
import type { Preprocessing } from './preprocessing.js';

/** As a `Batch`, with features in place of pixels. */
export interface FeatureBatch extends Omit<Batch, 'pixels'> {
  /** [size, features of an image]. */
  features: Float32Array<ArrayBuffer>;
}

export interface FeatureLoaderOptions {
  list: FeatureList;
  /** Indices into the list, in the order to deliver. */
  order: Uint32Array;
  /** Images in a batch; the last one may be smaller. */
  batchSize: number;
  /** Batches before this one are left out; default 0. */
  firstBatch?: number;
  preprocessing: Preprocessing;
  /** Decoding threads to keep busy. */
  workers: number;
  /** The features of a batch of at least one image: [batch.size, features of an image]. */
  compute: (batch: Batch) => Float32Array;
}

/** Features that were computed, and the images that could not be read. */
interface Computed {
  indices: Uint32Array;
  features: Float32Array;
  bad: readonly BadImage[];
}

/** Images whose files are looked at together before they are decoded. */
const imagesAtOnce = 4096;

/** Delivers the features of the images of `order` in batches, as `createLoader` does their pixels. */
export function createFeatureLoader(options: FeatureLoaderOptions): Loader<FeatureBatch> {
  const { list, order, batchSize, firstBatch = 0, preprocessing, workers, compute } = options;
  const { images, store } = list;
  const { size } = store;
  const batches = Math.ceil(order.length / batchSize);
  const indicesOf = (position: number) => order.subarray(position * batchSize, (position + 1) * batchSize);

  /** In batches of the same images as the loader's, where none of them is kept. */
  async function* computeAll(missing: Uint32Array, onComputed: (ms: number) => void): AsyncGenerator<Computed> {
    const step = Math.max(1, Math.floor(imagesAtOnce / batchSize)) * batchSize;
    for (let start = 0; start < missing.length; start += step) {
      const part = missing.subarray(start, start + step);
      // Before they are decoded: a file that is changed meanwhile won't be taken for what it was.
      const stamps = await list.stampsOf(part);
      for await (const batch of createLoader({ images, order: part, batchSize, preprocessing, workers })) {
        const { indices, bad } = batch;
        const startedAt = performance.now();
        const features = batch.size === 0 ? new Float32Array(0) : compute(batch);
        await list.keep(indices, stamps, features);
        onComputed(performance.now() - startedAt);
        yield { indices, features, bad };
      }
    }
  }

  async function* iterate(): AsyncGenerator<FeatureBatch, void, void> {
    const largest = Math.min(batchSize, order.length);
    // One is the consumer's, the other one is being filled.
    const buffers = [new ArrayBuffer(4 * size * largest), new ArrayBuffer(4 * size * largest)] as const;
    const bad = new Map<number, BadImage>();
    const fresh = new Map<number, Float32Array>();
    let computingMs = 0;
    const onComputed = (ms: number) => {
      computingMs += ms;
    };
    const missing = order.subarray(firstBatch * batchSize).filter((index) => !list.isKept(index));
    const neededBy = countUpTo(batches, (position) => {
      return position < firstBatch ? 0 : indicesOf(position).reduce((n, index) => n + (list.isKept(index) ? 0 : 1), 0);
    });
    const computing = computeAll(missing, onComputed);
    let taken = 0;
    const take = (computed: Computed) => {
      for (const image of computed.bad) bad.set(image.index, image);
      for (const [row, index] of computed.indices.entries()) {
        fresh.set(index, computed.features.subarray(row * size, (row + 1) * size));
      }
    };
    const isKnown = (index: number) => fresh.has(index) || bad.has(index) || list.isKept(index);
    const isAllKnown = (position: number) => position < batches && indicesOf(position).every(isKnown);

    const prepare = async (position: number): Promise<Omit<FeatureBatch, 'waitMs'>> => {
      while (taken < (neededBy[position] ?? 0)) {
        const { value, done } = await computing.next();
        if (done) throw new Error('internal: fewer features were computed than are missing');
        taken += value.indices.length + value.bad.length;
        take(value);
      }
      const all = indicesOf(position);
      const indices = all.filter((index) => !bad.has(index));
      const features = new Float32Array(buffers[position % 2 === 0 ? 0 : 1], 0, indices.length * size);
      const lost: number[] = [];
      const fill = async (index: number, row: number) => {
        const into = features.subarray(row * size, (row + 1) * size);
        const computed = fresh.get(index);
        if (computed) into.set(computed);
        else if (!(await list.read(index, into))) lost.push(index);
      };
      await Promise.all(Array.from(indices, fill));
      if (lost.length > 0) {
        for await (const computed of computeAll(Uint32Array.from(lost), onComputed)) take(computed);
        return prepare(position);
      }
      for (const index of indices) fresh.delete(index);
      const labels = Int32Array.from(indices, (index) => images.at(index).label);
      const unreadable = Array.from(all).flatMap((index) => bad.get(index) ?? []);
      return { features, labels, size: indices.length, indices, bad: unreadable, position };
    };

    try {
      let ahead: Promise<Omit<FeatureBatch, 'waitMs'>> | undefined;
      for (let position = firstBatch; position < batches; position++) {
        const askedAt = performance.now();
        const computedMs = computingMs;
        const batch = await (ahead ?? prepare(position));
        const waitMs = performance.now() - askedAt - (computingMs - computedMs);
        // What is kept is read while the consumer is busy.
        ahead = isAllKnown(position + 1) ? prepare(position + 1) : undefined;
        ahead?.catch(() => {});
        yield { ...batch, waitMs };
      }
    } finally {
      await computing.return(undefined);
    }
  }

  return { batches, images: order.length, [Symbol.asyncIterator]: iterate };
}

/** The sums of `count` over 0 .. i, for each i below `length`. */
function countUpTo(length: number, count: (i: number) => number): Uint32Array {
  let sum = 0;
  return Uint32Array.from({ length }, (_, i) => {
    sum += count(i);
    return sum;
  });
}
