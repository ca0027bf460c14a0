// Decoded images that are kept are those that decoding gives, as long as the files are the same.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import sharp from 'sharp';
import { scanImageFolder } from '#src/data/image-folder.js';
import { type Batch, createLoader } from '#src/data/loader.js';
import { type CacheSettings, openPixelCache } from '#src/data/pixel-cache.js';
import { preprocessings } from '#src/data/preprocessing.js';
import { imageCacheFor } from '#src/training/image-cache.js';
import { smallDisk } from '../small-disk.js';

const root = mkdtempSync(join(tmpdir(), 'deep-cnn-pixels-'));
after(() => rmSync(root, { recursive: true, force: true }));
const dataDir = join(root, 'data');

async function writeImage(path: string, shade: number): Promise<void> {
  const pixels = Uint8Array.from({ length: 40 * 30 * 3 }, (_, i) => (shade * 40 + i * 7) % 256);
  await sharp(pixels, { raw: { width: 40, height: 30, channels: 3 } })
    .png()
    .toFile(path);
}

const paths: string[] = [];
for (const name of ['a', 'b']) {
  const folder = join(dataDir, name);
  mkdirSync(folder, { recursive: true });
  for (let i = 0; i < 5; i++) {
    paths.push(join(folder, `${i}.png`));
    await writeImage(join(folder, `${i}.png`), paths.length);
  }
}
writeFileSync(join(dataDir, 'b', 'broken.png'), 'no image');

// 33 * 33 * 3 bytes are no multiple of 4, 32 * 32 * 3 are.
const sizes = [33, 32].map((crop) => ({ ...preprocessings.resnet, resize: 36, crop }));

async function pass(
  cache: CacheSettings | undefined,
  preprocessing = sizes[0] ?? preprocessings.resnet,
  onBatch: (batch: Batch) => void = () => {},
) {
  const { images } = await scanImageFolder(dataDir);
  const order = Uint32Array.from({ length: images.length }, (_, i) => (i * 7) % images.length);
  const batches = [];
  for await (const batch of createLoader({ images, order, batchSize: 4, preprocessing, cache })) {
    onBatch(batch);
    const { labels, indices, bad, pixels } = batch;
    batches.push({
      pixels: Buffer.from(pixels),
      labels: [...labels],
      indices: [...indices],
      bad: bad.map(({ path }) => path),
    });
  }
  return batches;
}

for (const preprocessing of sizes) {
  for (const kind of ['ram', 'disk'] as const) {
    test(`${kind}, ${preprocessing.crop} pixels: the same batches in every pass, bad images included`, async () => {
      const expected = await pass(undefined, preprocessing);
      assert.deepEqual(
        expected.flatMap(({ bad }) => bad),
        [join(dataDir, 'b', 'broken.png')],
      );
      const cache: CacheSettings =
        kind === 'ram' ? { kind, bytes: 1e6 } : { kind, folder: join(root, `kept-${preprocessing.crop}`), dataDir };
      for (let epoch = 0; epoch < 3; epoch++) assert.deepEqual(await pass(cache, preprocessing), expected);
    });
  }
}

test('what is kept is used: it stands for the file even when that has other pixels, unless it looks changed', async () => {
  const [path = ''] = paths;
  const folder = join(root, 'kept-proof');
  const preprocessing = sizes[1] ?? preprocessings.resnet;
  const open = () => openPixelCache({ kind: 'disk', folder, dataDir }, preprocessing);
  const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => i % 251);
  const cache = open();
  assert.equal(await cache.read(path, new Uint8Array(pixels.length)), false);
  const stamp = await cache.stamp(path);
  assert.ok(stamp);
  await cache.keep(path, stamp, pixels);
  // Another process finds it.
  const found = new Uint8Array(pixels.length);
  assert.equal(await open().read(path, found), true);
  assert.deepEqual(found, pixels);
  const later = new Date(Date.now() + 60_000);
  utimesSync(path, later, later);
  assert.equal(await open().read(path, found), false);
});

test('what is damaged on the disk is decoded again', async () => {
  const cache: CacheSettings = { kind: 'disk', folder: join(root, 'kept-damaged'), dataDir };
  const expected = await pass(cache);
  const [store = ''] = readdirSync(cache.folder);
  for (const name of readdirSync(join(cache.folder, store))) {
    if (name.endsWith('.features')) truncateSync(join(cache.folder, store, name), 5000);
  }
  // As a new process would open it.
  const fresh = openPixelCache(cache, sizes[0] ?? preprocessings.resnet);
  const read = await Promise.all(paths.map((path) => fresh.read(path, new Uint8Array(33 * 33 * 3))));
  assert.ok(read.includes(false) && read.includes(true));
  assert.deepEqual(await pass(cache), expected);
});

test('memory holds what it has room for', async () => {
  const bytes = 32 * 32 * 3;
  const cache = openPixelCache({ kind: 'ram', bytes: 2.5 * bytes }, sizes[1] ?? preprocessings.resnet);
  const image = (shade: number) => new Uint8Array(bytes).fill(shade);
  for (const name of ['a', 'b', 'c']) {
    const stamp = await cache.stamp(name);
    if (stamp) await cache.keep(name, stamp, image(name.charCodeAt(0)));
  }
  const into = new Uint8Array(bytes);
  assert.deepEqual([await cache.read('a', into), into[9]], [true, 97]);
  assert.deepEqual([await cache.read('b', into), into[9]], [true, 98]);
  assert.equal(await cache.read('c', into), false);
});

test('memory that can not be had keeps nothing more, says so once, and stops nothing', async () => {
  // More than any array holds.
  const preprocessing = { ...preprocessings.resnet, crop: 2 ** 23 };
  const cache = openPixelCache({ kind: 'ram', bytes: 1e16 }, preprocessing);
  for (const name of ['a', 'b']) {
    const stamp = await cache.stamp(name);
    if (stamp) await cache.keep(name, stamp, new Uint8Array(4));
  }
  assert.equal(await cache.read('a', new Uint8Array(4)), false);
  assert.match(cache.takeTrouble() ?? '', /^Memory has no room for more than 0 decoded images \(.+\)$/);
  assert.equal(cache.takeTrouble(), undefined);
});

test('a disk without room keeps nothing and stops nothing, and that is told once', async (t) => {
  const disk = smallDisk(t, 2 ** 18);
  if (disk === undefined) return;
  const cache: CacheSettings = { kind: 'disk', folder: join(disk, 'images'), dataDir };
  const expected = await pass(undefined);
  const told: (string | undefined)[] = [];
  for (let epoch = 0; epoch < 2; epoch++) {
    assert.deepEqual(await pass(cache, undefined, ({ cacheTrouble }) => told.push(cacheTrouble)), expected);
  }
  const [trouble = '', ...others] = told.filter((text) => text !== undefined);
  assert.match(trouble, /^There is no room for more decoded images in .*images, where 1 GB is left to checkpoints$/);
  assert.deepEqual(others, []);
});

test('a run is told where memory has no room for all of its images', () => {
  const config = { root_dir: '/root', data_dir: '/data' };
  const told: string[] = [];
  const report = (event: { kind: string }) => told.push('message' in event ? String(event.message) : '');
  const about = { images: 100, preprocessing: preprocessings.resnet };
  assert.equal(imageCacheFor({ ...config, cache: 'auto' }, about, report), undefined);
  // It claims what it needs, and no more.
  const ram = (free: number) => imageCacheFor({ ...config, cache: 'ram' }, about, report, free);
  assert.deepEqual(ram(1e9), { kind: 'ram', bytes: 100 * 150_528 });
  assert.deepEqual(told, []);
  assert.deepEqual(ram(10.9 * 150_528 * 2), { kind: 'ram', bytes: 10 * 150_528 });
  assert.match(told[0] ?? '', /room for 10 of 100 decoded images/);
  const disk = imageCacheFor({ ...config, cache: 'disk' }, about, report);
  assert.deepEqual(disk, { kind: 'disk', folder: '/root/outputs/images', dataDir: '/data' });
});
