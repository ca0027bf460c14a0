// Images come out as they are stored, or as ImageOps.exif_transpose turns them. What turning means is told by sharp's
// operations on the decoded pixels.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import sharp, { type Sharp } from 'sharp';
import { drawRecipe } from '#src/data/augment.js';
import { type DecodeTarget, decodeInto, decodeWithSharp } from '#src/data/decode.js';
import { orientationOf } from '#src/data/orientation.js';
import { type Preprocessing, preprocessings } from '#src/data/preprocessing.js';
import { loadJpegDecoder } from '#src/tensorflow/jpeg-decoder.js';
import { temporaryFolder } from './temporary-folder.js';

const fixture = (name: string) => fileURLToPath(new URL(`../../../tests/data/fixtures/${name}`, import.meta.url));

const small: Preprocessing = { ...preprocessings.resnet, resize: 80, crop: 70 };
const turning: Preprocessing = { ...small, exif: true };

/** What each orientation asks for (EXIF 2.32, 4.6.4): degrees clockwise, then a mirroring. */
const turns: readonly [orientation: number, degrees: number, mirrored?: 'left-right' | 'top-bottom'][] = [
  [1, 0],
  [2, 0, 'left-right'],
  [3, 180],
  [4, 0, 'top-bottom'],
  [5, 90, 'left-right'],
  [6, 90],
  [7, 90, 'top-bottom'],
  [8, 270],
];
const orientations = turns.map(([orientation]) => orientation);

type Decode = (path: string, preprocessing: Preprocessing, target: DecodeTarget) => Promise<void>;

async function square(path: string, preprocessing: Preprocessing, seed?: number, decode: Decode = decodeInto) {
  const buffer = new ArrayBuffer(preprocessing.crop ** 2 * 3);
  const recipe = seed === undefined ? undefined : drawRecipe({ kind: 'trivial', seed, epoch: 0 }, 3);
  await decode(path, preprocessing, { recipe, buffer, offset: 0 });
  return new Uint8Array(buffer);
}

/** Writes the pixels of a file, turned, to a PNG without an orientation. */
async function writeTurned(file: string, orientation: number, path: string): Promise<void> {
  const [, degrees, mirrored] = turns[orientation - 1] ?? assert.fail();
  const rotated = await reopened(await reopened(sharp(file).removeAlpha().toColourspace('srgb')), degrees);
  if (mirrored === 'left-right') rotated.flop();
  if (mirrored === 'top-bottom') rotated.flip();
  writeFileSync(path, await rotated.png().toBuffer());
}

/** An image of its pixels alone: sharp does a pipeline's operations in an order of its own. */
async function reopened(image: Sharp, degrees = 0): Promise<Sharp> {
  const { data, info } = await image.rotate(degrees).raw().toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  return sharp(data, { raw: { width, height, channels } }).toColourspace('srgb');
}

/** An EXIF block that holds an orientation, after another entry. */
function exifBlock(orientation: number, littleEndian = true): Buffer {
  const block = Buffer.alloc(38);
  const short = (value: number, at: number) =>
    littleEndian ? block.writeUInt16LE(value, at) : block.writeUInt16BE(value, at);
  const long = (value: number, at: number) =>
    littleEndian ? block.writeUInt32LE(value, at) : block.writeUInt32BE(value, at);
  block.write(littleEndian ? 'II' : 'MM');
  short(42, 2);
  long(8, 4);
  short(2, 8);
  for (const [at, tag, value] of [
    [10, 0x100, 77],
    [22, 0x112, orientation],
  ] as const) {
    short(tag, at);
    short(3, at + 2);
    long(1, at + 4);
    short(value, at + 8);
  }
  return block;
}

function segment(...content: (Buffer | string)[]): Buffer {
  const bytes = Buffer.concat(content.map((part) => Buffer.from(part)));
  const head = Buffer.from([0xff, 0xe1, 0, 0]);
  head.writeUInt16BE(bytes.length + 2, 2);
  return Buffer.concat([head, bytes]);
}

const exifSegment = (block: Buffer) => segment('Exif\0\0', block);
const xmpSegment = (text: string) => segment('http://ns.adobe.com/xap/1.0/\0', text);
const xmp = (orientation: number) => `<rdf:Description tiff:Orientation="${orientation}"/>`;

function withSegments(name: string, ...segments: Buffer[]): Buffer {
  const file = readFileSync(fixture(name));
  return Buffer.concat([file.subarray(0, 2), ...segments, file.subarray(2)]);
}

// Among them one whose rows are resized before its columns, and one for which it is the other way round.
const formats: readonly [name: string, turned: (orientation: number) => Promise<Buffer> | Buffer][] = [
  ['wide.jpg', (orientation) => withSegments('wide.jpg', exifSegment(exifBlock(orientation)))],
  ['grey.jpg', (orientation) => withSegments('grey.jpg', exifSegment(exifBlock(orientation, false)))],
  ['tiny-cmyk.jpg', (orientation) => withSegments('tiny-cmyk.jpg', exifSegment(exifBlock(orientation)))],
  ['narrow.png', (orientation) => sharp(fixture('narrow.png')).withMetadata({ orientation }).png().toBuffer()],
  ['flat.png', (orientation) => sharp(fixture('flat.png')).withMetadata({ orientation }).png().toBuffer()],
  ['tall.png', (orientation) => webp('tall.png', orientation)],
];

function webp(name: string, orientation: number): Promise<Buffer> {
  return sharp(fixture(name)).withMetadata({ orientation }).webp({ lossless: true }).toBuffer();
}

for (const [name, turned] of formats) {
  test(`${name} with an orientation is turned where that is wanted, and nowhere else`, async (t) => {
    const folder = temporaryFolder(t);
    const upright = join(folder, 'upright.png');
    for (const orientation of orientations) {
      const path = join(folder, name);
      writeFileSync(path, await turned(orientation));
      assert.deepEqual(await square(path, small), await square(fixture(name), small), `stored ${orientation}`);
      if (name === 'tiny-cmyk.jpg') continue; // sharp's own conversion is another one
      await writeTurned(fixture(name), orientation, upright);
      const expected = await square(upright, small);
      assert.deepEqual(await square(path, turning), expected, `turned ${orientation}`);
      assert.deepEqual(await square(path, turning, undefined, decodeWithSharp), expected, `sharp ${orientation}`);
      for (const seed of [1, 2, 3]) {
        assert.deepEqual(await square(path, turning, seed), await square(upright, small, seed), `seed ${seed}`);
      }
    }
  });
}

test('a CMYK JPEG is turned', async (t) => {
  const path = join(temporaryFolder(t), 'x.jpg');
  const sizes = { ...small, resize: 50, crop: 50 };
  const plain = await square(fixture('tiny-cmyk.jpg'), sizes);
  writeFileSync(path, withSegments('tiny-cmyk.jpg', exifSegment(exifBlock(3))));
  const turned = await square(path, { ...sizes, exif: true });
  const pixel = (pixels: Uint8Array, x: number, y: number) => [
    ...pixels.subarray((y * 50 + x) * 3, (y * 50 + x) * 3 + 3),
  ];
  for (const [x, y] of [
    [0, 0],
    [7, 30],
    [49, 12],
  ] as const) {
    assert.deepEqual(pixel(turned, x, y), pixel(plain, 49 - x, 49 - y));
  }
});

test('TIFF is turned always', async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'x.tif');
  const upright = join(folder, 'upright.png');
  for (const orientation of orientations) {
    writeFileSync(
      path,
      await sharp(fixture('narrow.png')).withMetadata({ orientation }).tiff({ compression: 'lzw' }).toBuffer(),
    );
    await writeTurned(fixture('narrow.png'), orientation, upright);
    const expected = await square(upright, small);
    assert.deepEqual(await square(path, turning), expected, `${orientation}`);
    assert.deepEqual(await square(path, small), expected, `${orientation}`);
  }
});

test("AVIF's own rotation and mirroring count, and only where that is wanted", async (t) => {
  const folder = temporaryFolder(t);
  const [path, stored, upright] = ['x.avif', 'stored.avif', 'upright.png'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const file = readFileSync(fixture('turned.avif'));
  const [rotation, mirror] = [file.indexOf('irot') + 4, file.indexOf('imir') + 4];
  assert.ok(rotation > 4 && mirror > 4);
  const plain = Buffer.from(file);
  plain[rotation] = 0;
  plain.write('free', mirror - 4, 'latin1');
  writeFileSync(stored, plain);
  // By quarters counterclockwise, then an axis: 0 exchanges top and bottom, 1 left and right.
  const expected: readonly [quarters: number, axis: number, orientation: number][] = [
    [0, 0, 4],
    [1, 0, 5],
    [2, 0, 2],
    [3, 0, 7],
    [0, 1, 2],
    [1, 1, 7],
    [2, 1, 4],
    [3, 1, 5],
  ];
  for (const [quarters, axis, orientation] of expected) {
    const changed = Buffer.from(file);
    changed[rotation] = quarters;
    changed[mirror] = axis;
    writeFileSync(path, changed);
    assert.deepEqual(await square(path, small), await square(stored, small), `stored ${orientation}`);
    await writeTurned(stored, orientation, upright);
    assert.deepEqual(await square(path, turning), await square(upright, small), `turned ${orientation}`);
  }
});

test('XMP tells the orientation where EXIF does not', async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'x.jpg');
  const upright = join(folder, 'upright.png');
  const withoutOrientation = exifBlock(6);
  withoutOrientation.writeUInt16LE(0x101, 22);
  const cases: readonly [segments: Buffer[], orientation: number][] = [
    [[xmpSegment(xmp(6))], 6],
    [[xmpSegment('<tiff:Orientation>8</tiff:Orientation>')], 8],
    [[exifSegment(exifBlock(5)), xmpSegment(xmp(6))], 5],
    [[xmpSegment(xmp(6)), exifSegment(exifBlock(5))], 5],
    [[exifSegment(withoutOrientation), xmpSegment(xmp(4))], 4],
    [[xmpSegment('<rdf:Description/>')], 1],
    [[exifSegment(exifBlock(9))], 1],
    [[exifSegment(exifBlock(0)), xmpSegment(xmp(3))], 1],
    [[exifSegment(exifBlock(6).subarray(0, 25))], 1],
    [[segment('Exif\0\0')], 1],
  ];
  for (const [index, [segments, orientation]] of cases.entries()) {
    writeFileSync(path, withSegments('wide.jpg', ...segments));
    await writeTurned(fixture('wide.jpg'), orientation, upright);
    assert.deepEqual(await square(path, turning), await square(upright, small), `case ${index}`);
  }
});

test('the fast decoder takes images that EXIF turns, and leaves those that XMP does', async (t) => {
  const path = join(temporaryFolder(t), 'x.jpg');
  const decode =
    loadJpegDecoder() ?? assert.fail("set-up did not build the decoder: PyPI's TensorFlow has what it needs");
  const taken = (turn: boolean) => {
    const target = { ...small, recipe: undefined, buffer: new ArrayBuffer(small.crop ** 2 * 3), offset: 0 };
    return decode(path, turn, target);
  };
  writeFileSync(path, withSegments('wide.jpg', exifSegment(exifBlock(6))));
  assert.deepEqual([await taken(true), await taken(false)], [true, true]);
  writeFileSync(path, withSegments('wide.jpg', xmpSegment(xmp(6))));
  assert.deepEqual([await taken(true), await taken(false)], [false, true]);
});

test('EXIF in a text chunk of a PNG counts', () => {
  const block = Buffer.concat([Buffer.from('Exif\0\0'), exifBlock(8)]);
  const lines = (block.toString('hex').match(/.{1,72}/g) ?? []).join('\n');
  const text = `\nexif\n${String(block.length).padStart(8)}\n${lines}\n`;
  assert.equal(orientationOf({ comments: [{ keyword: 'Raw profile type exif', text }] }), 8);
  assert.equal(orientationOf({ comments: [{ keyword: 'Comment', text }] }), 1);
  assert.equal(orientationOf({}), 1);
});
