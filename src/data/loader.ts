// Batches of decoded images, several of them decoded ahead while the consumer is busy with one.

import type { AugmentOptions } from './augment.js';
import { decodeThread, type PendingDecode } from './decode-thread.js';
import type { ImageList } from './image-list.js';
import type { Preprocessing } from './preprocessing.js';
import { defaultWorkers } from './threads.js';

/** A decoded batch. It is valid until the next one is asked for: its memory is then used again. */
export interface Batch {
  /** Red, green, blue bytes, [size, crop, crop, 3], padded to a multiple of 4 bytes; at offset 0 of its buffer. */
  pixels: Uint8Array<ArrayBuffer>;
  /** Class of each image, [size]. */
  labels: Int32Array<ArrayBuffer>;
  size: number;
  /** Index of each image in the list, [size]. */
  indices: Uint32Array;
  /** How long the consumer waited for this batch. */
  waitMs: number;
}

/** Batches of one pass over the images; iterating again begins another pass. */
export interface Loader extends AsyncIterable<Batch> {
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
}

/** A batch that is being decoded. */
interface PendingBatch {
  decode: PendingDecode;
  labels: Int32Array<ArrayBuffer>;
  indices: Uint32Array;
}

/**
 * Delivers the images of `order` in batches. Nothing starts before the loader is iterated. Iterating rejects with an
 * UnreadableImageError at the batch that holds a bad image; leaving the loop early drops what was decoded ahead.
 */
export function createLoader({
  images,
  order,
  batchSize,
  preprocessing,
  augment = { kind: 'none', seed: 0, epoch: 0 },
  workers = defaultWorkers(),
  prefetch = 3,
}: LoaderOptions): Loader {
  const limits = { batchSize, workers, prefetch };
  for (const [name, limit] of Object.entries(limits)) {
    if (!Number.isInteger(limit) || limit < 1) throw new Error(`internal: the loader's ${name} is ${limit}`);
  }
  const batches = Math.ceil(order.length / batchSize);

  const begin = (position: number, buffer: ArrayBuffer): PendingBatch => {
    const indices = order.slice(position * batchSize, (position + 1) * batchSize);
    const chosen = Array.from(indices, (index) => images.at(index));
    const paths = chosen.map((image) => image.path);
    const labels = Int32Array.from(chosen, (image) => image.label);
    const decode = decodeThread().decode({ paths, indices, preprocessing, augment, workers, buffer });
    return { decode, labels, indices };
  };

  async function* iterate(): AsyncGenerator<Batch, void, void> {
    const bufferBytes = paddedBytes(batchSize, preprocessing);
    const pending: PendingBatch[] = [];
    let begun = 0;
    const beginNext = (buffer: ArrayBuffer) => {
      if (begun < batches) pending.push(begin(begun++, buffer));
    };
    try {
      // One buffer is the consumer's, `prefetch` are being filled: as many as there are, for the whole pass.
      for (let i = 0; i < prefetch + 1 && i < batches; i++) beginNext(new ArrayBuffer(bufferBytes));
      for (let batch = pending.shift(); batch !== undefined; batch = pending.shift()) {
        const askedAt = performance.now();
        const buffer = await batch.decode.buffer;
        const waitMs = performance.now() - askedAt;
        const { labels, indices } = batch;
        const pixels = new Uint8Array(buffer, 0, paddedBytes(indices.length, preprocessing));
        yield { pixels, labels, size: indices.length, indices, waitMs };
        beginNext(buffer);
      }
    } finally {
      for (const { decode } of pending) decode.cancel();
    }
  }

  return { batches, images: order.length, [Symbol.asyncIterator]: iterate };
}

/** Bytes of `size` images, rounded up so that they can be seen as 32-bit numbers. */
function paddedBytes(size: number, { crop }: Preprocessing): number {
  return Math.ceil((size * crop * crop * 3) / 4) * 4;
}
