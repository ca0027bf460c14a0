// How large a batch there is room for on a processor. There, Linux ends a process that takes too much without a word, so
// that it has to be known beforehand. (A GPU's allocator says so, and nothing needs to be known.)

import { writeFileSync } from 'node:fs';
import { readableText } from '../readable-text.js';
import { availableBytes } from './available-memory.js';
import type { StepBatch, Steps } from './steps.js';

/** What is left alone, for the loader and everybody else. */
const spareShare = 0.1;

export interface RoomParts {
  /** Bytes that this process may still take. */
  available: () => number;
  /** Bytes that it had at most while `work` ran. */
  peakOf: (work: () => void) => number;
}

interface BatchSize {
  images: number;
  /** Side of an image. */
  crop: number;
  /** Bytes of memory that are promised to others, 0 by default. */
  reserved?: number;
}

/**
 * In how many parts a batch of so many images of side `crop` must be computed to fit into memory: measured on two small
 * batches, since a step's memory grows evenly with its images. 1 where it can't be measured. To be called before
 * anything large is read: memory that was freed would hide what the batches take. Weights are drawn on the way.
 */
export function partsThatFit(
  steps: Pick<Steps, 'gradients' | 'drawWeights'>,
  { images, crop, reserved = 0 }: BatchSize,
  { available, peakOf }: RoomParts = { available: availableBytes, peakOf: peakBytes },
): number {
  const few = Math.min(4, Math.floor(images / 4));
  if (few < 1) return 1;
  steps.drawWeights(0);
  const measured = (count: number) => peakOf(() => void steps.gradients(blankBatch(count, crop)));
  // The first run makes what all others use.
  measured(few);
  const room = Math.max(0, available() - reserved);
  const small = measured(few);
  const growth = (count: number) => (measured(count) - small) / (count - few);
  const roughly = growth(2 * few);
  // How TensorFlow lays out its tensors varies by some images' worth, which tells less beside more of them.
  const hasRoom = few * 4 <= images && roughly * few * 3 < room / 2;
  const perImage = hasRoom ? Math.max(roughly, growth(4 * few)) : roughly;
  if (!Number.isFinite(perImage) || perImage <= 0) return 1;
  const most = Math.max(1, Math.floor(few + (room * (1 - spareShare)) / perImage));
  return Math.ceil(images / most);
}

function blankBatch(images: number, crop: number): StepBatch {
  const pixels = new Uint8Array(Math.ceil((images * crop * crop * 3) / 4) * 4);
  // Not of one colour: no number is to be the same for all.
  for (let i = 0; i < pixels.length; i++) pixels[i] = (i * 2_654_435_761) >>> 24;
  return { pixels, labels: new Int32Array(images) };
}

/** Not a number where Linux doesn't tell. */
function peakBytes(work: () => void): number {
  try {
    // Forgets the peak until now (proc(5)).
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    return Number.NaN;
  }
  work();
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readableText('/proc/self/status'))?.[1];
  return 1024 * Number(kilobytes ?? Number.NaN);
}
