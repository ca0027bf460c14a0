// Every kind of bad image, each with one clear line, and the odd but good ones beside them.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { decodeImage } from '#src/data/decode.js';
import { scanImageFolder } from '#src/data/image-folder.js';
import { preprocessings } from '#src/data/preprocessing.js';
import { UnreadableImageError } from '#src/data/unreadable-image.js';
import { UserError } from '#src/errors.js';
import { temporaryFolder } from './temporary-folder.js';

const fixture = (name: string) => fileURLToPath(new URL(`../../../tests/data/fixtures/${name}`, import.meta.url));
const bytesOf = (name: string) => readFileSync(fixture(name));

/** What makes a line more than one, or no line at all. */
const breaksLine = /[\p{Cc}\p{Zl}\p{Zp}]/u;

async function assertRefused(path: string, reason: RegExp): Promise<void> {
  await assert.rejects(decodeImage(path, preprocessings.resnet), (error: Error) => {
    assert.ok(error instanceof UnreadableImageError && error instanceof UserError, error.stack);
    assert.equal(error.path, path);
    assert.match(error.reason, reason);
    assert.match(error.message, /^Can't read the image .*: found .+\. Replace or remove this file\.$/);
    assert.doesNotMatch(error.message, breaksLine);
    return true;
  });
}

/** A file whose header says that the picture is larger than it is. */
function enlarged(name: string, at: (file: Buffer) => number, bytes: 2 | 4, side: number): Buffer {
  const file = Buffer.from(bytesOf(name));
  for (const offset of [0, bytes]) file.writeUIntBE(side, at(file) + offset, bytes);
  return file;
}

const afterFrameMarker = (file: Buffer) => file.indexOf(Buffer.from([0xff, 0xc0])) + 5;

function withCorrectChecksum(png: Buffer): Buffer {
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
  return png;
}

function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function withPrecision(bits: number): Buffer {
  const file = Buffer.from(bytesOf('wide.jpg'));
  file[afterFrameMarker(file) - 1] = bits;
  return file;
}

function strip(width: number, height: number, format: 'png' | 'tiff' = 'png'): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: '#123' } })
    .toFormat(format)
    .toBuffer();
}

const tooLarge = /^an image of more than 178 million pixels$/;
const damaged = /^a truncated or damaged file$/;
const nothingKnown = /^something that is no image of a known format$/;

const contents: readonly [name: string, content: () => Buffer | string | Promise<Buffer>, reason: RegExp][] = [
  ['zero-byte.jpg', () => '', /^an empty file$/],
  ['zero-byte.png', () => '', /^an empty file$/],
  ['truncated.jpg', () => bytesOf('wide.jpg').subarray(0, 9000), damaged],
  ['truncated.png', () => bytesOf('tall.png').subarray(0, 900), damaged],
  ['truncated.webp', () => bytesOf('transparent.webp').subarray(0, 900), damaged],
  ['truncated.gif', () => bytesOf('animated.gif').subarray(0, 900), damaged],
  ['header-only.gif', () => bytesOf('animated.gif').subarray(0, 14), damaged],
  ['truncated.tif', () => bytesOf('turned.tif').subarray(0, 900), damaged],
  ['no-image.jpg', () => 'Not Found', nothingKnown],
  ['no-image.png', () => Buffer.alloc(5000, 0xa5), nothingKnown],
  ['page.webp', () => '<!doctype html><html></html>', nothingKnown],
  ['no-image.avif', () => Buffer.concat([Buffer.from('\0\0\0\x18ftypavif'), Buffer.alloc(5000)]), /./],
  ['twelve-bit.jpg', () => withPrecision(12), /^a JPEG of 12 bits, of which only those of 8 are read$/],
  [
    'ycbcr.tif',
    () => bytesOf('ycbcr.tif'),
    /^a TIFF image .* not read \(YCbCr, 3 .* of 8 bits, not compressed as JPEG\)$/,
  ],
  ['lab.tif', () => bytesOf('lab.tif'), /^a TIFF image .* not read \(LAB, 3 unsigned samples of 8 bits\)$/],
  ['cmyk16.tif', () => bytesOf('cmyk16.tif'), /^a TIFF image .* not read \(CMYK, 4 unsigned samples of 16 bits\)$/],
  ['thread.png', () => strip(1, 70_000), /^an image of 1 x 70000 pixels, too narrow to be resized$/],
  ['thread-across.png', () => strip(70_000, 1), /^an image of 70000 x 1 pixels, too narrow to be resized$/],
  ['bomb.jpg', () => enlarged('wide.jpg', afterFrameMarker, 2, 20_000), tooLarge],
  ['bomb.png', () => withCorrectChecksum(enlarged('tall.png', () => 16, 4, 20_000)), tooLarge],
];

for (const [name, content, reason] of contents) {
  test(`${name} is refused with the reason`, async (t) => {
    const path = join(temporaryFolder(t), name);
    writeFileSync(path, await content());
    await assertRefused(path, reason);
  });
}

test('an image of 20,000 x 20,000 pixels costs no memory', async (t) => {
  const path = join(temporaryFolder(t), 'bomb.jpg');
  await decodeImage(fixture('wide.jpg'), preprocessings.resnet);
  const before = process.resourceUsage().maxRSS;
  writeFileSync(path, enlarged('wide.jpg', afterFrameMarker, 2, 20_000));
  await assertRefused(path, tooLarge);
  const addedMb = (process.resourceUsage().maxRSS - before) / 1000;
  assert.ok(addedMb < 100, `${addedMb} MB`);
});

const files: readonly [name: string, make: (path: string, t: TestContext) => unknown, reason: RegExp][] = [
  ['a folder named as an image', (path) => mkdirSync(path), /^a folder$/],
  ['a link to nowhere', (path) => symlinkSync('nowhere.jpg', path), /^no such file \(or a link to nowhere\)$/],
  ['a link to itself', (path) => symlinkSync(path, path), /^a link that leads in a circle$/],
  ['a file that vanished', makeAndRemove, /^no such file/],
  ['a pipe', (path) => execFileSync('mkfifo', [path]), /^no file but a pipe, a socket or a device$/],
  ['a link to a pipe', linkToPipe, /^no file but a pipe, a socket or a device$/],
  ['a socket', listenAt, /^no file but a pipe, a socket or a device$/],
  ['a link to a device', (path) => symlinkSync('/dev/zero', path), /^no file but a pipe, a socket or a device$/],
];

function makeAndRemove(path: string): void {
  copyFileSync(fixture('wide.jpg'), path);
  rmSync(path);
}

function linkToPipe(path: string): void {
  execFileSync('mkfifo', [`${path}.pipe`]);
  symlinkSync(`${path}.pipe`, path);
}

async function listenAt(path: string, t: TestContext): Promise<void> {
  const server = createServer().listen(path);
  t.after(() => server.close());
  await once(server, 'listening');
}

for (const [name, make, reason] of files) {
  test(`${name} is refused with the reason, and not waited for`, async (t) => {
    const path = join(temporaryFolder(t), 'x.jpg');
    await make(path, t);
    await assertRefused(path, reason);
  });
}

test('a file without permission is refused with the reason', async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'x.jpg');
  copyFileSync(fixture('wide.jpg'), path);
  chmodSync(folder, 0o755);
  chmodSync(path, 0);
  await decodeImage(fixture('wide.jpg'), preprocessings.resnet);
  // Root may read anything: be nobody meanwhile.
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65534);
  try {
    await assertRefused(path, /^no permission to read it$/);
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
});

test('a folder without permission is named', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'a'));
  chmodSync(folder, 0o755);
  chmodSync(join(folder, 'a'), 0);
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65534);
  try {
    await assert.rejects(scanImageFolder(folder), (error: Error) => {
      assert.ok(error instanceof UserError);
      assert.equal(
        error.message,
        `The folder ${folder}/a can't be listed: found no permission to read it. Check its permissions.`,
      );
      return true;
    });
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
});

test('pictures of one pixel are read', async (t) => {
  const folder = temporaryFolder(t);
  const pixel = sharp({ create: { width: 1, height: 1, channels: 3, background: { r: 200, g: 100, b: 50 } } });
  for (const format of ['png', 'gif', 'tiff'] as const) {
    const path = join(folder, `x.${format}`);
    writeFileSync(path, await pixel.clone().toFormat(format).toBuffer());
    const pixels = await decodeImage(path, preprocessings.resnet);
    assert.deepEqual([...pixels.subarray(0, 3), ...pixels.subarray(-3)], [200, 100, 50, 200, 100, 50], format);
  }
});

const names = [
  'a b.jpg',
  ' leading and trailing .jpg',
  '-rf.jpg',
  '--data_dir=x.jpg',
  `"double" and 'single'.jpg`,
  '$(id) `id` %s %2f *?[a].jpg',
  'back\\slash.jpg',
  'line\nfeed.jpg',
  'carriage\rreturn\tand tab.jpg',
  'colour \x1b[31m.jpg',
  '\u00e9 composed.jpg',
  'e\u0301 combining.jpg',
  '🏝️👩‍👩‍👧‍👦.jpg',
  '海辺.jpg',
  'пляж.jpg',
  'חוף.jpg',
  'شاطئ.jpg',
  'turned \u202egpj.jpg',
  'separator\u2028.jpg',
  `${'ü'.repeat(125)}a.jpg`,
  'UPPER.JPG',
  '.jpg',
  'two..dots.jpg',
];

test('names in any script are listed and read', async (t) => {
  const root = temporaryFolder(t);
  mkdirSync(join(root, 'a'));
  for (const name of names) copyFileSync(fixture('exact.jpg'), join(root, 'a', name));
  const { images, counts } = await scanImageFolder(root);
  assert.deepEqual(counts, [names.length]);
  const found = Array.from({ length: images.length }, (_, i) => images.at(i).path);
  assert.deepEqual([...found].sort(), names.map((name) => `${root}/a/${name}`).sort());
  const pixels = await decodeImage(fixture('exact.jpg'), preprocessings.resnet);
  for (const path of found) assert.deepEqual(await decodeImage(path, preprocessings.resnet), pixels, path);
});

test('no name breaks the line that tells of its file', async (t) => {
  const folder = temporaryFolder(t);
  for (const name of names) {
    writeFileSync(join(folder, name), 'Not Found');
    await assertRefused(join(folder, name), nothingKnown);
  }
  await assert.rejects(
    decodeImage(join(folder, 'line\nfeed.jpg'), preprocessings.resnet),
    /line\\nfeed\.jpg: found something/,
  );
  await assert.rejects(
    decodeImage(join(folder, 'turned \u202egpj.jpg'), preprocessings.resnet),
    /turned \\u202egpj\.jpg: found something/,
  );
});

test('a name that is not UTF-8 is listed, and refused with the reason', async (t) => {
  const root = temporaryFolder(t);
  mkdirSync(join(root, 'a'));
  const latin1 = (name: string) => Buffer.from(join(root, 'a', name), 'latin1');
  for (const name of ['caf\xe9.jpg', 'caf\xe8.jpg']) writeFileSync(latin1(name), bytesOf('exact.jpg'));
  copyFileSync(fixture('exact.jpg'), join(root, 'a', 'good.jpg'));
  const { images } = await scanImageFolder(root);
  assert.equal(images.length, 3);
  for (const index of [0, 1]) await assertRefused(images.at(index).path, /^a name that is not UTF-8/);
  await decodeImage(images.at(2).path, preprocessings.resnet);
});

test('a class folder whose name is not UTF-8 is named as such', async (t) => {
  const root = temporaryFolder(t);
  mkdirSync(Buffer.from(join(root, 'caf\xe9'), 'latin1'));
  await assert.rejects(
    scanImageFolder(root),
    /^UserError: The folder .* can't be listed: found a name that is not UTF-8/,
  );
});

test('only files and folders are listed', async (t) => {
  const root = temporaryFolder(t);
  const folder = join(root, 'a');
  mkdirSync(join(folder, 'folder.jpg'), { recursive: true });
  copyFileSync(fixture('exact.jpg'), join(folder, 'folder.jpg', 'inside.jpg'));
  execFileSync('mkfifo', [join(folder, 'pipe.jpg')]);
  symlinkSync('pipe.jpg', join(folder, 'linked-pipe.jpg'));
  symlinkSync('/dev/zero', join(folder, 'device.jpg'));
  symlinkSync('circle.jpg', join(folder, 'circle.jpg'));
  symlinkSync('.', join(folder, 'loop'));
  await listenAt(join(folder, 'socket.jpg'), t);
  const { images } = await scanImageFolder(root);
  const found = Array.from({ length: images.length }, (_, i) => images.at(i).path);
  // A link in a circle is an image that can't be read, so that the user hears of it.
  assert.deepEqual(found, [join(folder, 'circle.jpg'), join(folder, 'folder.jpg', 'inside.jpg')]);
});

test('a bad image is the mistake of a user', () => {
  const error = new UnreadableImageError('a\x07.jpg', 'an empty file');
  assert.ok(error instanceof UserError);
  assert.equal(error.message, "Can't read the image a\\u0007.jpg: found an empty file. Replace or remove this file.");
});
