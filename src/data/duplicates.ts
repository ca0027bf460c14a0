// Files of equal content. Only files of equal size are opened, of those only the last few bytes are read, and only where
// these agree too is a file read whole, which spares nearly all that have no duplicate.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { filesAtOnce, forEachIndex, ifReadable } from './many-files.js';

export interface DuplicatesOptions {
  /** Bytes of each file; 0 for those that are not to be looked at. */
  sizes: Float64Array;
  pathOf: (index: number) => string;
  /** Hears how many of all files are done. */
  onProgress?: (done: number) => void;
}

/**
 * Groups of files that are the same byte for byte (by their SHA-256), each in ascending order, the groups by their first
 * file. Digests are kept of the files of one size at a time.
 */
export async function findDuplicates({ sizes, pathOf, onProgress }: DuplicatesOptions): Promise<number[][]> {
  const found: number[][] = [];
  const groups = sameSize(sizes);
  let done = sizes.length - groups.reduce((sum, group) => sum + group.length, 0);
  const compare = async (group: Uint32Array, atOnce: number) => {
    const alike = await groupBy(group, (index) => tailOf(pathOf(index), sizes[index] ?? 0), atOnce);
    for (const files of alike) found.push(...(await groupBy(files, (index) => digestOf(pathOf(index)), atOnce)));
    done += group.length;
    onProgress?.(done);
  };
  // Many small groups side by side, large ones one after the other: `filesAtOnce` files are open in either case.
  const small = groups.filter((group) => group.length <= filesAtOnce);
  await forEachIndex(small.length, (i) => compare(small[i] ?? new Uint32Array(0), 1));
  for (const group of groups) if (group.length > filesAtOnce) await compare(group, filesAtOnce);
  return found.sort(([a = 0], [b = 0]) => a - b);
}

/** Groups of two or more files of one size, other than 0: views of one array. */
function sameSize(sizes: Float64Array): Uint32Array[] {
  const sizeOf = (index = 0) => sizes[index] ?? 0;
  const ascending = Uint32Array.from(sizes.keys()).sort((a, b) => sizeOf(a) - sizeOf(b) || a - b);
  const groups: Uint32Array[] = [];
  for (let start = 0; start < ascending.length; ) {
    const size = sizeOf(ascending[start]);
    let end = start + 1;
    while (end < ascending.length && sizeOf(ascending[end]) === size) end++;
    if (size > 0 && end - start > 1) groups.push(ascending.subarray(start, end));
    start = end;
  }
  return groups;
}

/** Groups of two or more files for which `keyOf` gives the same; files that can't be read drop out. */
async function groupBy(
  files: ArrayLike<number>,
  keyOf: (index: number) => Promise<string>,
  atOnce: number,
): Promise<number[][]> {
  const keys: (string | undefined)[] = Array.from({ length: files.length });
  const readKey = async (i: number) => {
    keys[i] = await ifReadable(() => keyOf(files[i] ?? 0));
  };
  await forEachIndex(files.length, readKey, atOnce);
  const groups = new Map<string, number[]>();
  for (const [i, key] of keys.entries()) {
    if (key === undefined) continue;
    const group = groups.get(key) ?? [];
    if (group.push(files[i] ?? 0) === 1) groups.set(key, group);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

/** Photos of one camera begin alike; they end in compressed pixels. */
const tailBytes = 64;

async function tailOf(path: string, size: number): Promise<string> {
  const file = await open(path);
  try {
    const length = Math.min(tailBytes, size);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(piece);
  return hash.digest('base64');
}
