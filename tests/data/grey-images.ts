import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import sharp from 'sharp';
import type { ImageList } from '#src/data/image-list.js';
import type { Batch } from '#src/data/loader.js';
import { preprocessings } from '#src/data/preprocessing.js';
import { temporaryFolder } from './temporary-folder.js';

/** An image takes 3,267 bytes, no multiple of 4. */
export const greyPreprocessing = { ...preprocessings.resnet, resize: 35, crop: 33 };
export const greyBytes = 33 * 33 * 3;

let greys: Promise<Buffer[]> | undefined;

/** 40 PNG files, each of one grey, its position in the list; those at `bad` hold no image. Labels are from 0 to 4. */
export async function greyImages(t: TestContext, bad: readonly number[] = []): Promise<ImageList> {
  greys ??= Promise.all(Array.from({ length: 40 }, (_, grey) => drawGrey(grey)));
  const folder = temporaryFolder(t);
  const files = await greys;
  for (const [i, file] of files.entries()) writeFileSync(join(folder, `${i}.png`), bad.includes(i) ? 'no image' : file);
  return { length: files.length, at: (index) => ({ path: join(folder, `${index}.png`), label: index % 5 }) };
}

function drawGrey(grey: number): Promise<Buffer> {
  const background = { r: grey, g: grey, b: grey };
  return sharp({ create: { width: 40, height: 35, channels: 3, background } })
    .png()
    .toBuffer();
}

/** The grey of each image of a batch, which must be that grey all over. */
export function greysOf({ pixels, size }: Pick<Batch, 'pixels' | 'size'>): number[] {
  return Array.from({ length: size }, (_, i) => {
    const image = pixels.subarray(i * greyBytes, (i + 1) * greyBytes);
    assert.ok(image.length === greyBytes && image.every((value) => value === image[0]));
    return image[0] ?? Number.NaN;
  });
}
