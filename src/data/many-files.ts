// Looking at many files, some at a time. Those that can't be read are passed over: decoding finds them.

import { stat } from 'node:fs/promises';
import { isSystemError } from '../system-error.js';
import { readAgain } from './read-again.js';

/** Enough to hide the latency of a network file system. */
export const filesAtOnce = 16;

/** Does `work` for 0 .. count - 1, `atOnce` at a time. */
export async function forEachIndex(
  count: number,
  work: (index: number) => Promise<void>,
  atOnce = filesAtOnce,
): Promise<void> {
  let next = 0;
  const takeTurns = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, takeTurns));
}

/** What `read` finds; undefined where the file system fails. */
export async function ifReadable<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await readAgain(read, { onTooManyOpen: () => {}, isGivenUp: () => false });
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}

/** Bytes of each file; 0 for those that can't be read. `onProgress` hears how many files are done. */
export async function fileSizes(
  count: number,
  pathOf: (index: number) => string,
  onProgress?: (done: number) => void,
): Promise<Float64Array> {
  const sizes = new Float64Array(count);
  let done = 0;
  await forEachIndex(count, async (index) => {
    sizes[index] = (await ifReadable(() => stat(pathOf(index))))?.size ?? 0;
    onProgress?.(++done);
  });
  return sizes;
}
