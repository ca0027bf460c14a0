import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { decodeImage } from '#src/data/decode.js';
import { preprocessings } from '#src/data/preprocessing.js';
import { UnreadableImageError } from '#src/data/unreadable-image.js';
import { UserError } from '#src/errors.js';
import { temporaryFolder } from './temporary-folder.js';

// Compiled tests lie in build/tests/data, the images stay where make-fixtures.py put them.
const fixtures = fileURLToPath(new URL('../../../tests/data/fixtures/', import.meta.url));
const expected: Record<string, number[]> = JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8'));

/** Every 37th pixel of every 37th row, as in expected.json. */
function sampled(pixels: Uint8Array): number[] {
  const values: number[] = [];
  for (let y = 0; y < 224; y += 37) {
    for (let x = 0; x < 224; x += 37) values.push(...pixels.subarray((y * 224 + x) * 3, (y * 224 + x) * 3 + 3));
  }
  return values;
}

for (const [name, values] of Object.entries(expected)) {
  test(`${name} comes out as from Pillow and torchvision`, async () => {
    const pixels = await decodeImage(join(fixtures, name), preprocessings.resnet);
    assert.equal(pixels.length, 224 * 224 * 3);
    const found = sampled(pixels);
    assert.equal(found.length, values.length);
    assert.deepEqual(found, values);
  });
}

test('of an AVIF sequence the first picture is taken', async () => {
  // The same picture, to the bit; AVIF loses some.
  const exact = await decodeImage(join(fixtures, 'interlaced.png'), preprocessings.resnet);
  const pixels = await decodeImage(join(fixtures, 'sequence.avif'), preprocessings.resnet);
  const difference = pixels.reduce((sum, value, i) => sum + Math.abs(value - (exact[i] ?? 0)), 0) / pixels.length;
  assert.ok(difference < 15, `${difference}`);
});

test('other sizes than 256 and 224 are honoured', async () => {
  const pixels = await decodeImage(join(fixtures, 'wide.jpg'), { ...preprocessings.resnet, resize: 64, crop: 33 });
  assert.equal(pixels.length, 33 * 33 * 3);
});

const fixture = (name: string) => readFileSync(join(fixtures, name));
const half = (name: string) => fixture(name).subarray(0, fixture(name).length / 2);

function withFlippedByte(file: Buffer): Buffer {
  const changed = Buffer.from(file);
  const middle = file.length >> 1;
  changed[middle] = (changed[middle] ?? 0) ^ 0xff;
  return changed;
}

const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="300"><rect width="9" height="9"/></svg>';

const broken: readonly [name: string, content: Buffer | string, reason: RegExp][] = [
  ['half.jpg', half('wide.jpg'), /a truncated or damaged file/],
  ['nearly-whole.jpg', fixture('wide.jpg').subarray(0, -200), /a truncated or damaged file/],
  ['header-only.jpg', fixture('wide.jpg').subarray(0, 100), /a truncated or damaged file/],
  ['half.png', half('tall.png'), /a truncated or damaged file/],
  ['bad-checksum.png', withFlippedByte(fixture('tall.png')), /a truncated or damaged file/],
  ['half.webp', half('transparent.webp'), /a truncated or damaged file/],
  ['half.gif', fixture('animated.gif').subarray(0, 3000), /a truncated or damaged file/],
  // Its directory stands at its end.
  ['half.tif', half('turned.tif'), /a truncated or damaged file/],
  // The rows that are missing lie below the crop.
  ['without-margin.jpg', fixture('exact.jpg').subarray(0, -200), /a truncated or damaged file/],
  ['empty.jpg', '', /an empty file/],
  ['page.jpg', '<html>404</html>', /no image of a known format/],
  ['drawing.png', svg, /no image of a known format/],
];

for (const [name, content, reason] of broken) {
  test(`${name} is refused by name, with the reason`, async (t) => {
    const path = join(temporaryFolder(t), name);
    writeFileSync(path, content);
    await assert.rejects(decodeImage(path, preprocessings.resnet), (error: Error) => {
      assert.ok(error instanceof UnreadableImageError && error instanceof UserError, error.stack);
      assert.equal(error.path, path);
      assert.match(error.reason, reason);
      assert.ok(error.message.startsWith(`Can't read the image ${path}: found `));
      return true;
    });
  });
}

test('bytes behind the end are ignored', async (t) => {
  const path = join(temporaryFolder(t), 'more.jpg');
  writeFileSync(path, Buffer.concat([fixture('wide.jpg'), Buffer.alloc(500, 'x')]));
  const pixels = await decodeImage(join(fixtures, 'wide.jpg'), preprocessings.resnet);
  assert.deepEqual(await decodeImage(path, preprocessings.resnet), pixels);
});

test('a missing file and a folder are told apart', async (t) => {
  const folder = temporaryFolder(t);
  await assert.rejects(decodeImage(join(folder, 'x.jpg'), preprocessings.resnet), /no such file/);
  await assert.rejects(decodeImage(folder, preprocessings.resnet), /found a folder/);
});

test('an image of too many pixels is refused before it is decoded', async (t) => {
  const path = join(temporaryFolder(t), 'bomb.jpg');
  const bomb = Buffer.from(fixture('wide.jpg'));
  const frame = bomb.indexOf(Buffer.from([0xff, 0xc0]));
  bomb.writeUInt16BE(60000, frame + 5);
  bomb.writeUInt16BE(60000, frame + 7);
  writeFileSync(path, bomb);
  await assert.rejects(decodeImage(path, preprocessings.resnet), /more than 178 million pixels/);
});
