import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import sharp from 'sharp';
import { decodeImage } from '#src/data/decode.js';
import { preprocessings } from '#src/data/preprocessing.js';
import { type PixelRows, squareOf } from '#src/page/resample.js';
import { temporaryFolder } from '../data/temporary-folder.js';

/** Noise, which shows every rounding. */
function noise(width: number, height: number): Buffer {
  let state = width * 65_537 + height;
  return Buffer.from(
    Uint8Array.from({ length: width * height * 3 }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return state >>> 24;
    }),
  );
}

/** As a browser gives pixels away, with an opacity that must not matter. */
function withOpacity(pixels: Buffer, width: number, height: number): PixelRows {
  return {
    width,
    height,
    read: (first, count) =>
      Uint8ClampedArray.from({ length: count * width * 4 }, (_, index) =>
        index % 4 === 3 ? 7 : (pixels[(first * width + (index >> 2)) * 3 + (index % 4)] ?? 0),
      ),
  };
}

describe("the square of an image is training's, bit for bit", () => {
  for (const interpolation of ['bilinear', 'bicubic'] as const) {
    for (const [width, height] of [
      [256, 256],
      [640, 480],
      [301, 257],
      [90, 70],
      [31, 300],
      [700, 40],
      // So many rows more than columns vanish that they are computed first.
      [260, 2000],
      // More than one piece.
      [1200, 1800],
    ] as const) {
      test(`${width} x ${height}, ${interpolation}`, async (t) => {
        const pixels = noise(width, height);
        const path = join(temporaryFolder(t), 'noise.png');
        await sharp(pixels, { raw: { width, height, channels: 3 } })
          .png({ compressionLevel: 1 })
          .toFile(path);
        const shape = { ...preprocessings.resnet, interpolation };
        const expected = await decodeImage(path, shape);
        const found = squareOf(withOpacity(pixels, width, height), shape);
        assert.ok(Buffer.from(found).equals(expected));
      });
    }
  }

  test('in other sizes', async (t) => {
    const path = join(temporaryFolder(t), 'noise.png');
    const pixels = noise(200, 150);
    await sharp(pixels, { raw: { width: 200, height: 150, channels: 3 } })
      .png()
      .toFile(path);
    const shape = { ...preprocessings.none, resize: 64, crop: 33 };
    assert.ok(Buffer.from(squareOf(withOpacity(pixels, 200, 150), shape)).equals(await decodeImage(path, shape)));
  });
});
