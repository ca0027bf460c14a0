// Images of many requests through one network: decoded at the same time, and computed in batches of those that wait.

import { decodeImageBytes } from '../data/decode.js';
import type { Preprocessing } from '../data/preprocessing.js';
import type { Classifier } from '../inference/classifier.js';

export interface FileClassifier {
  /** Probabilities of the image in a file, [classes]. Rejects with an UnreadableImageError where it can't be read. */
  classify(file: Buffer): Promise<Float32Array>;
}

/** A decoded image that waits for its turn. */
interface Waiting {
  /** [crop, crop, 3] */
  square: Uint8Array;
  resolve(probabilities: Float32Array): void;
  reject(error: unknown): void;
}

/** At most `batchSize` images are computed at the same time. */
export function createFileClassifier(
  classifier: Classifier,
  preprocessing: Preprocessing,
  batchSize: number,
): FileClassifier {
  const squareBytes = preprocessing.crop ** 2 * 3;
  // Padded to whole words, as the classifier wants it.
  const pixels = new Uint8Array(Math.ceil((batchSize * squareBytes) / 4) * 4);
  const queue: Waiting[] = [];
  let isRunning = false;

  const run = async () => {
    isRunning = true;
    // Whatever has arrived meanwhile goes into the same batch, and requests are read between two batches.
    for (await nextTurn(); queue.length > 0; await nextTurn()) classifyBatch(queue.splice(0, batchSize));
    isRunning = false;
  };

  const classifyBatch = (batch: readonly Waiting[]) => {
    for (const [index, { square }] of batch.entries()) pixels.set(square, index * squareBytes);
    const used = pixels.subarray(0, Math.ceil((batch.length * squareBytes) / 4) * 4);
    try {
      const { probabilities } = classifier.classify({ pixels: used, size: batch.length });
      const classes = probabilities.length / batch.length;
      for (const [index, { resolve }] of batch.entries()) {
        resolve(probabilities.slice(index * classes, (index + 1) * classes));
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };

  return {
    async classify(file) {
      const square = await decodeImageBytes(file, 'that was sent', preprocessing);
      return new Promise((resolve, reject) => {
        queue.push({ square, resolve, reject });
        if (!isRunning) void run();
      });
    },
  };
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));
