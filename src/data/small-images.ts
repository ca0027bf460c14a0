// Images of so few pixels that there is little to learn from.

import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { readJpegHeader } from './jpeg-header.js';
import { forEachIndex, ifReadable } from './many-files.js';

export interface SmallImage {
  index: number;
  width: number;
  height: number;
}

/** The shorter side of a small image is shorter than this. */
export const smallSide = 32;

/** Larger files are not opened: 31 x 31 pixels take 3 kB uncompressed. */
const mostBytes = 8192;

/**
 * Images with a side shorter than `smallSide` pixels among the files of at most 8 KiB, in ascending order. Files of size 0
 * are not looked at, those that can't be read are passed over.
 */
export async function findSmallImages(sizes: Float64Array, pathOf: (index: number) => string): Promise<SmallImage[]> {
  const candidates = Uint32Array.from(sizes.keys()).filter((index) => {
    const size = sizes[index] ?? 0;
    return size > 0 && size <= mostBytes;
  });
  const found: SmallImage[] = [];
  await forEachIndex(candidates.length, async (i) => {
    const index = candidates[i] ?? 0;
    const file = await ifReadable(() => readFile(pathOf(index)));
    const size =
      file &&
      (readJpegHeader(file) ??
        (await sharp(file)
          .metadata()
          .catch(() => undefined)));
    if (size !== undefined && Math.min(size.width, size.height) < smallSide) {
      found.push({ index, width: size.width, height: size.height });
    }
  });
  return found.sort((a, b) => a.index - b.index);
}
