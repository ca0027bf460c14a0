// Photo-like JPEGs to measure with: seeded noise of several sizes on top of each other, so that a file is as large and
// as much work to decode as a photo of its size.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { MersenneTwister } from '#src/data/random.js';

const classes = 5;
const octaves = [4, 16, 64, 256];

/** Writes `count` square images into train/class<k>/ of `folder`. */
export async function writeBenchImages(folder: string, count: number, size = 256): Promise<void> {
  const random = new MersenneTwister(1);
  for (let index = 0; index < count; index++) {
    const classFolder = join(folder, 'train', `class${index % classes}`);
    if (index < classes) await mkdir(classFolder, { recursive: true });
    const pixels = await drawNoise(random, size);
    await sharp(pixels, { raw: { width: size, height: size, channels: 3 } })
      .jpeg({ quality: 88 })
      .toFile(join(classFolder, `${String(index).padStart(6, '0')}.jpg`));
  }
}

async function drawNoise(random: MersenneTwister, size: number): Promise<Uint8Array> {
  const sum = new Float32Array(size * size * 3);
  for (const cells of octaves) {
    const coarse = Uint8Array.from({ length: cells * cells * 3 }, () => random.nextUint32() >>> 24);
    const smooth = await sharp(coarse, { raw: { width: cells, height: cells, channels: 3 } })
      .resize(size, size, { kernel: 'cubic' })
      .raw()
      .toBuffer();
    // Finer detail is fainter, as in photos.
    const strength = octaves[0] ? Math.sqrt(octaves[0] / cells) : 1;
    // Ten times as fast as iterators: a large image has twelve million values.
    for (let at = 0; at < sum.length; at++) sum[at] = (sum[at] ?? 0) + ((smooth[at] ?? 0) - 128) * strength;
  }
  const pixels = new Uint8Array(sum.length);
  for (let at = 0; at < sum.length; at++) pixels[at] = Math.max(0, Math.min(255, 128 + (sum[at] ?? 0)));
  return pixels;
}
