import assert from 'node:assert/strict';
import { copyFileSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FeatureList } from '#src/data/feature-list.js';
import { createFeatureLoader, type FeatureBatch } from '#src/data/feature-loader.js';
import { FeatureStore } from '#src/data/feature-store.js';
import type { ImageList } from '#src/data/image-list.js';
import { type Batch, createLoader } from '#src/data/loader.js';
import { smallDisk } from '../small-disk.js';
import { greyImages, greysOf, greyPreprocessing as preprocessing } from './grey-images.js';
import { temporaryFolder } from './temporary-folder.js';

const batchSize = 6;
const size = 2;
const orderOf = ({ length }: ImageList) => Uint32Array.from({ length }, (_, i) => (i * 7) % length);

/** The features of these tests: an image's grey, and a third of it. */
const featuresOf = (grey: number) => [grey, Math.fround(grey / 3)];

interface Part {
  order?: Uint32Array;
  firstBatch?: number;
}

/** A process's view of a folder of features, and what it had to compute and was told. */
async function openPart(t: TestContext, images: ImageList, folder: string) {
  const computed: number[][] = [];
  const told: string[] = [];
  let isKeeping = true;
  const trouble = {
    get isKeeping() {
      return isKeeping;
    },
    notKept: ({ message }: Error) => {
      isKeeping = false;
      told.push(`not kept: ${message.slice(0, 6)}`);
    },
    damaged: (path: string) => told.push(`damaged: ${basename(path)}`),
  };
  const store = await FeatureStore.open(folder, size);
  t.after(() => store.close());
  const nameOf = (path: string) => basename(path);
  const list = await FeatureList.open({ images, store, nameOf, trouble });
  const compute = (batch: Batch) => {
    const greys = greysOf(batch);
    computed.push([...batch.indices]);
    return Float32Array.from(greys.flatMap(featuresOf));
  };
  const load = ({ order = orderOf(images), firstBatch = 0 }: Part = {}) =>
    createFeatureLoader({ list, order, firstBatch, batchSize, preprocessing, workers: 2, compute });
  return { list, store, load, computed, told };
}

const told = ({ labels, size, indices, bad, position }: Batch | FeatureBatch) => {
  return {
    labels: [...labels],
    size,
    indices: [...indices],
    bad: bad.map(({ index, reason }) => [index, reason]),
    position,
  };
};

/** Goes through a pass, and checks that it is the loader's, with features in place of pixels. */
async function passes(
  part: Awaited<ReturnType<typeof openPart>>,
  options: { order?: Uint32Array; firstBatch?: number } = {},
) {
  const { images } = part.list;
  const { order = orderOf(images), firstBatch = 0 } = options;
  const expected: object[] = [];
  for await (const batch of createLoader({ images, order, firstBatch, batchSize, preprocessing })) {
    expected.push({ ...told(batch), features: greysOf(batch).flatMap(featuresOf) });
  }
  const loader = part.load(options);
  assert.deepEqual([loader.batches, loader.images], [Math.ceil(order.length / batchSize), order.length]);
  const found: object[] = [];
  for await (const batch of loader) {
    found.push({ ...told(batch), features: [...batch.features] });
    assert.ok(batch.waitMs >= 0);
  }
  assert.deepEqual(found, expected);
}

const sorted = (computed: readonly number[][]) => computed.flat().sort((a, b) => a - b);
const everything = Array.from({ length: 40 }, (_, i) => i);

test('computes each image once, in the batches of the loader, and reads it in all later passes', async (t) => {
  const images = await greyImages(t);
  const folder = temporaryFolder(t);
  const part = await openPart(t, images, folder);
  await passes(part);
  const order = [...orderOf(images)];
  assert.deepEqual(
    part.computed,
    [0, 6, 12, 18, 24, 30, 36].map((start) => order.slice(start, start + batchSize)),
  );
  await passes(part, { order: Uint32Array.from(everything) });
  await passes(part, { order: Uint32Array.of(39, 3, 17) });
  const later = await openPart(t, images, folder);
  assert.equal(later.list.keptCount, 40);
  await passes(later);
  assert.deepEqual([sorted(part.computed), later.computed, later.told], [everything, [], []]);
});

test('begins at a batch, and computes what is missing only', async (t) => {
  const images = await greyImages(t);
  const folder = temporaryFolder(t);
  const order = orderOf(images);
  const first = await openPart(t, images, folder);
  for await (const { position } of first.load({ order })) if (position === 2) break;
  assert.equal(first.computed.length, 3);
  const second = await openPart(t, images, folder);
  assert.equal(second.list.keptCount, 18);
  await passes(second, { order, firstBatch: 3 });
  assert.deepEqual(sorted([...first.computed, ...second.computed]), everything);
  await passes(second, { order, firstBatch: 7 });
  // Some of each batch are kept.
  const third = await openPart(t, images, temporaryFolder(t));
  await passes(third, { order: Uint32Array.from(everything.filter((i) => i % 3 === 0)) });
  await passes(third);
  assert.deepEqual(sorted(third.computed), everything);
});

test('lists the images that cannot be read in their own batches, and tries them again in each pass', async (t) => {
  const images = await greyImages(t, [0, 7, 14, 21, 28, 35, 9]);
  const part = await openPart(t, images, temporaryFolder(t));
  await passes(part);
  await passes(part);
  assert.equal(sorted(part.computed).length, 33);
  assert.equal(part.list.keptCount, 33);
  copyFileSync(images.at(1).path, images.at(0).path);
  const greys: number[] = [];
  for await (const { indices, features } of part.load()) {
    for (const [row, index] of indices.entries()) if (index === 0) greys.push(features[row * size] ?? -1);
  }
  assert.deepEqual(greys, [1]);
});

test('computes anew the images whose files have changed between two runs', async (t) => {
  const images = await greyImages(t);
  const folder = temporaryFolder(t);
  const first = await openPart(t, images, folder);
  await passes(first);
  const replaced = images.at(5).path;
  const { atime, mtime } = statSync(replaced);
  copyFileSync(images.at(6).path, replaced);
  if (statSync(replaced).size === statSync(images.at(6).path).size)
    utimesSync(replaced, atime, new Date(mtime.getTime() + 1));
  utimesSync(images.at(8).path, 1e9, 1e9);
  const second = await openPart(t, images, folder);
  for await (const { indices, features } of second.load()) {
    for (const [row, index] of indices.entries()) assert.equal(features[row * size], index === 5 ? 6 : index);
  }
  assert.deepEqual(sorted(second.computed), [5, 8]);
  const third = await openPart(t, images, folder);
  assert.equal(third.list.keptCount, 40);
});

test('computes anew what is damaged, and tells of it', async (t) => {
  const images = await greyImages(t);
  const folder = temporaryFolder(t);
  const first = await openPart(t, images, folder);
  await passes(first);
  await first.store.close();
  const data = join(folder, readdirSync(folder).find((name) => name.endsWith('.features')) ?? '');
  const bytes = readFileSync(data);
  // The third image in the order.
  bytes.writeUInt8(bytes.readUInt8(2 * 8 + 1) ^ 1, 2 * 8 + 1);
  writeFileSync(data, bytes.subarray(0, -4));
  const second = await openPart(t, images, folder);
  await passes(second);
  const [third = -1, last = -1] = [orderOf(images)[2], orderOf(images)[39]];
  assert.deepEqual(second.computed, [[third], [last]]);
  assert.deepEqual(second.told, [`damaged: ${third}.png`, `damaged: ${last}.png`]);
  await passes(second);
  assert.equal(second.computed.length, 2);
});

test('goes on without when the disk is full', async (t) => {
  const disk = smallDisk(t, 16 * 4096);
  if (disk === undefined) return;
  const few = await greyImages(t);
  const images: ImageList = { length: 2000, at: (index) => few.at(index % 40) };
  const folder = join(disk, 'features');
  const before = await openPart(t, images, folder);
  for await (const { position } of before.load()) if (position === 1) break;
  const part = await openPart(t, images, folder);
  for await (const { features, indices } of part.load()) {
    assert.deepEqual([...features], Array.from(indices, (index) => featuresOf(index % 40)).flat());
  }
  assert.deepEqual(part.told, ['not kept: ENOSPC']);
  // Only what was kept before is still there.
  assert.equal(readdirSync(folder).length, 2);
  const order = orderOf(images).slice(0, 24);
  await passes(part, { order });
  assert.deepEqual(part.computed.at(-1), [...order.slice(18)]);
});

test('what fails to compute ends the pass', async (t) => {
  const images = await greyImages(t);
  const part = await openPart(t, images, temporaryFolder(t));
  const compute = () => {
    throw new Error('no memory');
  };
  const order = orderOf(images);
  const loader = createFeatureLoader({ list: part.list, order, batchSize, preprocessing, workers: 2, compute });
  await assert.rejects(async () => {
    for await (const _ of loader) assert.fail();
  }, /^Error: no memory$/);
});
