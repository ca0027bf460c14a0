// Batches of decoded images, several of them decoded ahead while the consumer is busy with one.

import { UserError } from '../errors.js';
import type { AugmentOptions } from './augment.js';
import { type Decoded, decodeThread, type PendingDecode } from './decode-thread.js';
import type { ImageList, LabelledImage } from './image-list.js';
import type { CacheSettings } from './pixel-cache.js';
import type { Preprocessing } from './preprocessing.js';
import { defaultWorkers } from './threads.js';

/** An image that could not be read. */
export interface BadImage {
  path: string;
  /** Why, in plain words: a phrase without a full stop. */
  reason: string;
  /** In the list of images. */
  index: number;
}

/** A decoded batch. It is valid until the next one is asked for: its memory is then used again. */
export interface Batch {
  /** Red, green, blue bytes, [size, crop, crop, 3], padded with zeros to a multiple of 4 bytes; at offset 0 of its buffer. */
  pixels: Uint8Array<ArrayBuffer>;
  /** Class of each image, [size]. */
  labels: Int32Array<ArrayBuffer>;
  /** Images that could be read: 0 where none of the batch's could. */
  size: number;
  /** Index of each image in the list, [size]. */
  indices: Uint32Array;
  /** The images of this batch that could not be read, in order: all of the above is without them. */
  bad: readonly BadImage[];
  /** Which batch of the pass this is, from 0. */
  position: number;
  /** Why decoded images are not kept any more: once, when that has happened. */
  cacheTrouble?: string | undefined;
  /** How long the consumer waited for this batch. */
  waitMs: number;
}

/** Batches of one pass over the images; iterating again begins another pass. */
export interface Loader<B = Batch> extends AsyncIterable<B> {
  readonly batches: number;
  readonly images: number;
}

export interface LoaderOptions {
  images: ImageList;
  /** Indices into `images`, in the order to deliver. */
  order: Uint32Array;
  /** Images in a batch; the last one may be smaller. */
  batchSize: number;
  preprocessing: Preprocessing;
  /** Random changes of the images, default none. They depend on its seed and epoch and each image's index alone. */
  augment?: AugmentOptions;
  /** Decoding threads to keep busy, as far as the thread pool has them; default `defaultWorkers()`. */
  workers?: number;
  /** Batches decoded ahead of the one in use; default 3. */
  prefetch?: number;
  /** Batches before this one are left out, undecoded; default 0. There may be nothing left. */
  firstBatch?: number;
  /** Where decoded images are kept for a next pass; nowhere by default, and never those that are augmented. */
  cache?: CacheSettings | undefined;
}

/** A batch that is being decoded. */
interface PendingBatch {
  position: number;
  decode: PendingDecode;
  images: readonly LabelledImage[];
  indices: Uint32Array;
}

/**
 * Delivers the images of `order` in batches; which images belong to one depends on `order`, `batchSize` and its position
 * alone. Nothing starts before the loader is iterated. Images that can't be read are listed in their batch, and it is
 * for the consumer to mind them; leaving the loop early drops what was decoded ahead. Iterating throws a `UserError` for
 * batches that no memory can hold.
 */
export function createLoader({
  images,
  order,
  batchSize,
  preprocessing,
  augment = { kind: 'none', seed: 0, epoch: 0 },
  workers = defaultWorkers(),
  prefetch = 3,
  firstBatch = 0,
  cache,
}: LoaderOptions): Loader {
  const limits = { batchSize, workers, prefetch };
  for (const [name, limit] of Object.entries(limits)) {
    if (!Number.isInteger(limit) || limit < 1) throw new Error(`internal: the loader's ${name} is ${limit}`);
  }
  const batches = Math.ceil(order.length / batchSize);
  if (!Number.isInteger(firstBatch) || firstBatch < 0 || firstBatch > batches) {
    throw new Error(`internal: the loader's first batch is ${firstBatch} of ${batches}`);
  }

  const begin = (position: number, buffer: ArrayBuffer): PendingBatch => {
    const indices = order.slice(position * batchSize, (position + 1) * batchSize);
    const chosen = Array.from(indices, (index) => images.at(index));
    const paths = chosen.map((image) => image.path);
    const decode = decodeThread().decode({
      ...{ paths, indices, preprocessing, augment, workers, buffer },
      cache: augment.kind === 'none' ? cache : undefined,
    });
    return { position, decode, images: chosen, indices };
  };

  async function* iterate(): AsyncGenerator<Batch, void, void> {
    const largest = Math.min(batchSize, order.length);
    const pending: PendingBatch[] = [];
    let begun = firstBatch;
    const beginNext = (buffer: ArrayBuffer) => {
      if (begun < batches) pending.push(begin(begun++, buffer));
    };
    try {
      // One buffer is the consumer's, `prefetch` are being filled: as many as there are, for the whole pass.
      const buffers = Math.min(prefetch + 1, batches - firstBatch);
      for (let i = 0; i < buffers; i++) beginNext(batchBuffer(largest, preprocessing));
      for (let batch = pending.shift(); batch !== undefined; batch = pending.shift()) {
        const askedAt = performance.now();
        const decoded = await batch.decode.decoded;
        const waitMs = performance.now() - askedAt;
        yield { ...assemble(batch, decoded, preprocessing), waitMs };
        beginNext(decoded.buffer);
      }
    } finally {
      for (const { decode } of pending) decode.cancel();
    }
  }

  return { batches, images: order.length, [Symbol.asyncIterator]: iterate };
}

/** Throws a `UserError` where no memory is to be had for so many images, or Node.js has no arrays as large. */
function batchBuffer(size: number, preprocessing: Preprocessing): ArrayBuffer {
  try {
    return new Uint8Array(paddedBytes(size, preprocessing)).buffer;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const { crop } = preprocessing;
    throw new UserError(
      'There is no memory for a batch',
      { found: `${size} images of ${crop} x ${crop} pixels in one`, mend: 'Choose a smaller --batch_size' },
      { cause: error },
    );
  }
}

/** What the consumer gets of a batch. */
function assemble(batch: PendingBatch, decoded: Decoded, preprocessing: Preprocessing): Omit<Batch, 'waitMs'> {
  const { position, images, indices } = batch;
  const { buffer, unreadable, cacheTrouble } = decoded;
  const reasons = new Map(unreadable.map((image) => [image.position, image.reason]));
  const bad: BadImage[] = [];
  const labels = new Int32Array(images.length - unreadable.length);
  const goodIndices = new Uint32Array(labels.length);
  let size = 0;
  for (const [i, { path, label }] of images.entries()) {
    const index = indices[i] ?? 0;
    const reason = reasons.get(i);
    if (reason !== undefined) {
      bad.push({ path, reason, index });
    } else {
      labels[size] = label;
      goodIndices[size++] = index;
    }
  }
  const pixels = new Uint8Array(buffer, 0, paddedBytes(size, preprocessing));
  pixels.fill(0, imageBytes(preprocessing) * size);
  return { pixels, labels, size, indices: goodIndices, bad, position, ...(cacheTrouble && { cacheTrouble }) };
}

/** Bytes of `size` images, rounded up so that they can be seen as 32-bit numbers. */
function paddedBytes(size: number, preprocessing: Preprocessing): number {
  return Math.ceil((size * imageBytes(preprocessing)) / 4) * 4;
}

const imageBytes = ({ crop }: Preprocessing) => crop * crop * 3;
