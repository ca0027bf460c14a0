// Images that are too large to be held whole come in strips, and out the same.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { drawRecipe } from '#src/data/augment.js';
import { decodeImage } from '#src/data/decode.js';
import { preprocessings } from '#src/data/preprocessing.js';
import { type ImageShape, type ImageStrip, loadSquareMaker, type SquareTarget } from '#src/tensorflow/image-square.js';
import { temporaryFolder } from './temporary-folder.js';

const fixture = (name: string) => fileURLToPath(new URL(`../../../tests/data/fixtures/${name}`, import.meta.url));

async function pixelsOf(file: string) {
  const { data, info } = await sharp(file)
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { pixels: data, width: info.width, height: info.height };
}

async function* stripsOf(pixels: Uint8Array, { width, height }: ImageShape, rows: number): AsyncGenerator<ImageStrip> {
  for (let first = 0; first < height; first += rows) {
    yield { pixels: pixels.slice(first * width * 3, Math.min(height, first + rows) * width * 3), first };
  }
}

// Wide, tall, tall enough for its rows to be resized first, lower than the square, and of the very size.
for (const name of ['wide.jpg', 'tall.png', 'narrow.png', 'thin.png', 'flat.png', 'exact.jpg']) {
  test(`${name} in strips is ${name} whole`, async () => {
    const maker = loadSquareMaker();
    const { pixels, width, height } = await pixelsOf(fixture(name));
    for (let orientation = 1; orientation <= 8; orientation++) {
      const shape = { width, height, orientation };
      for (const seed of [undefined, 1, 2]) {
        const recipe = seed === undefined ? undefined : drawRecipe({ kind: 'trivial', seed, epoch: 0 }, 5);
        const square = (): SquareTarget => {
          const buffer = new ArrayBuffer(64 * 64 * 3);
          return { resize: 70, crop: 64, interpolation: 'bicubic', recipe, buffer, offset: 0 };
        };
        const whole = square();
        await maker.fromWhole(shape, pixels, whole);
        for (const rows of [7, height]) {
          const gathered = square();
          await maker.fromStrips(shape, stripsOf(pixels, shape, rows), gathered);
          assert.deepEqual(new Uint8Array(gathered.buffer), new Uint8Array(whole.buffer), `${orientation} ${rows}`);
        }
      }
    }
  });
}

test('an image of 49 megapixels is decoded in strips, to the pixels that it has whole', async (t) => {
  const folder = temporaryFolder(t);
  const [width, height, orientation] = [7000, 7010, 1];
  const large = sharp(fixture('wide.jpg')).resize(width, height, { fit: 'fill', kernel: 'nearest' });
  const files = {
    'x.png': await large.clone().png({ compressionLevel: 1 }).toBuffer(),
    'x.jpg': await large.clone().jpeg({ quality: 40 }).toBuffer(),
  };
  for (const [name, file] of Object.entries(files)) {
    const path = join(folder, name);
    writeFileSync(path, file);
    const { pixels } = await pixelsOf(path);
    const { resize, crop, interpolation } = preprocessings.resnet;
    const whole = { resize, crop, interpolation, recipe: undefined, buffer: new ArrayBuffer(crop ** 2 * 3), offset: 0 };
    await loadSquareMaker().fromWhole({ width, height, orientation }, pixels, whole);
    assert.deepEqual(await decodeImage(path, preprocessings.resnet), new Uint8Array(whole.buffer), name);
  }
  // What is missing lies in the last strip.
  writeFileSync(join(folder, 'half.png'), files['x.png'].subarray(0, -5000));
  await assert.rejects(decodeImage(join(folder, 'half.png'), preprocessings.resnet), /a truncated or damaged file/);
});

test('strips that do not fit their image are a mistake of ours', async () => {
  const target = { resize: 4, crop: 4, interpolation: 'bilinear', recipe: undefined, offset: 0 } as const;
  const shape = { width: 5, height: 6, orientation: 1 };
  const strip = async function* (bytes: number, first: number) {
    yield { pixels: new Uint8Array(bytes), first };
  };
  for (const [bytes, first] of [
    [14, 0],
    [0, 0],
    [15 * 7, 0],
    [15, 6],
    [15, -1],
  ] as const) {
    const buffer = new ArrayBuffer(4 * 4 * 3);
    await assert.rejects(loadSquareMaker().fromStrips(shape, strip(bytes, first), { ...target, buffer }), /internal:/);
    await assert.rejects(loadSquareMaker().fromWhole(shape, new Uint8Array(bytes), { ...target, buffer }), /internal:/);
  }
});
