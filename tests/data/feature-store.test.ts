import assert from 'node:assert/strict';
import { appendFileSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FeatureStore } from '#src/data/feature-store.js';
import type { FileStamp } from '#src/data/file-stamp.js';
import { smallDisk } from '../small-disk.js';
import { temporaryFolder } from './temporary-folder.js';

const size = 3;
const stampOf = (name: string): FileStamp => ({
  size: 1000 + name.length,
  mtimeMs: 1_700_000_000_000.125 + name.length,
});
const featuresOf = (name: string) => [name.length, -0, Math.fround(1 / name.length)];

async function open(t: TestContext, folder: string): Promise<FeatureStore> {
  const store = await FeatureStore.open(folder, size);
  t.after(() => store.close());
  return store;
}

const add = (store: FeatureStore, ...names: string[]) =>
  store.add({ names, stamps: names.map(stampOf), features: Float32Array.from(names.flatMap(featuresOf)) });

/** What is found of a name; undefined where it has to be computed. */
async function read(store: FeatureStore, name: string): Promise<number[] | undefined> {
  const found = store.find(name);
  if (!found) return undefined;
  assert.deepEqual(found.stamp, stampOf(name));
  const into = new Float32Array(size);
  return (await store.read(found.place, into)) ? [...into] : undefined;
}

const filesOf = (folder: string, ending: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => join(folder, name));

test('gives back to the bit what was added, in this process and in the next', async (t) => {
  const folder = join(temporaryFolder(t), 'not', 'yet');
  const store = await open(t, folder);
  assert.ok(store.isEmpty);
  assert.equal(store.bytesPerImage, 12 + 44);
  const names = Array.from({ length: 300 }, (_, i) => `/train/${'x'.repeat(i)}é.jpg`);
  for (let i = 0; i < names.length; i += 50) {
    const places = await add(store, ...names.slice(i, i + 50));
    const into = new Float32Array(size);
    assert.ok(await store.read(places[7] ?? { segment: 0, slot: 0, checksum: 0 }, into));
    assert.deepEqual([...into], featuresOf(names[i + 7] ?? ''));
  }
  const later = await open(t, folder);
  assert.ok(!later.isEmpty);
  for (const name of names) assert.deepEqual(await read(later, name), featuresOf(name));
  assert.equal(await read(later, '/train/other.jpg'), undefined);
});

test('nothing is written before something is added', async (t) => {
  const parent = temporaryFolder(t);
  await (await open(t, join(parent, 'features'))).close();
  assert.deepEqual(readdirSync(parent), []);
});

test('two runs at once keep features of their own, and a later one finds both', async (t) => {
  const folder = temporaryFolder(t);
  const [first, second] = [await open(t, folder), await open(t, folder)];
  await Promise.all([add(first, '/a', '/bb'), add(second, '/bb', '/ccc')]);
  await Promise.all([add(first, '/dddd'), add(second, '/eeeee')]);
  assert.equal(filesOf(folder, '.index').length, 2);
  const later = await open(t, folder);
  for (const name of ['/a', '/bb', '/ccc', '/dddd', '/eeeee'])
    assert.deepEqual(await read(later, name), featuresOf(name));
});

test('the newer of two entries of a name counts', async (t) => {
  const folder = temporaryFolder(t);
  const store = await open(t, folder);
  await add(store, '/a');
  await store.add({ names: ['/a'], stamps: [{ size: 5, mtimeMs: 6 }], features: Float32Array.of(7, 8, 9) });
  assert.deepEqual((await open(t, folder)).find('/a')?.stamp, { size: 5, mtimeMs: 6 });
});

test('a kill at any byte of a write leaves what was whole before, and nothing wrong', async (t) => {
  const folder = temporaryFolder(t);
  const store = await open(t, folder);
  await add(store, '/a', '/bb');
  await add(store, '/ccc', '/dddd');
  await store.close();
  const [data = '', index = ''] = [...filesOf(folder, '.features'), ...filesOf(folder, '.index')];
  const [features, entries] = [readFileSync(data), readFileSync(index)];
  const names = ['/a', '/bb', '/ccc', '/dddd'];

  const foundAfter = async (dataBytes: number, indexBytes: number) => {
    writeFileSync(data, features.subarray(0, dataBytes));
    writeFileSync(index, entries.subarray(0, indexBytes));
    const opened = await FeatureStore.open(folder, size);
    const found = await Promise.all(names.map((name) => read(opened, name)));
    await opened.close();
    for (const [i, values] of found.entries())
      assert.ok(values === undefined || `${values}` === `${featuresOf(names[i] ?? '')}`);
    return found.filter((values) => values !== undefined).length;
  };
  assert.equal(await foundAfter(features.length, entries.length), 4);
  for (let bytes = 0; bytes < features.length; bytes += 5)
    assert.equal(await foundAfter(bytes, entries.length), Math.floor(bytes / 12));
  for (let bytes = 0; bytes < entries.length; bytes += 3)
    assert.equal(await foundAfter(features.length, bytes), Math.floor(bytes / 44));
});

test('a changed byte, of features or of an entry, is noticed wherever it is', async (t) => {
  const folder = temporaryFolder(t);
  const store = await open(t, folder);
  await add(store, '/a', '/bb');
  await store.close();
  for (const path of [...filesOf(folder, '.features'), ...filesOf(folder, '.index')]) {
    const whole = readFileSync(path);
    for (let byte = 0; byte < whole.length; byte++) {
      const damaged = Buffer.from(whole);
      damaged.writeUInt8(damaged.readUInt8(byte) ^ 0x10, byte);
      writeFileSync(path, damaged);
      const opened = await FeatureStore.open(folder, size);
      const isFirst = byte < whole.length / 2;
      assert.equal(await read(opened, isFirst ? '/a' : '/bb'), undefined, `byte ${byte} of ${path}`);
      assert.deepEqual(await read(opened, isFirst ? '/bb' : '/a'), featuresOf(isFirst ? '/bb' : '/a'));
      await opened.close();
    }
    writeFileSync(path, whole);
  }
});

test('what a kill left half written in the index is no obstacle to what comes after', async (t) => {
  const folder = temporaryFolder(t);
  const store = await open(t, folder);
  await add(store, '/a');
  await store.close();
  appendFileSync(filesOf(folder, '.index')[0] ?? '', Buffer.alloc(43, 1));
  const next = await open(t, folder);
  assert.deepEqual(await read(next, '/a'), featuresOf('/a'));
  await add(next, '/bb');
  assert.deepEqual(await read(await open(t, folder), '/bb'), featuresOf('/bb'));
});

test('features that are gone are not found, and do not fail', async (t) => {
  const folder = temporaryFolder(t);
  await add(await open(t, folder), '/a');
  const store = await open(t, folder);
  rmSync(filesOf(folder, '.features')[0] ?? '');
  assert.equal(await read(store, '/a'), undefined);
  truncateSync(filesOf(folder, '.index')[0] ?? '');
  assert.ok((await open(t, folder)).isEmpty);
});

test('on a full disk adding fails, and room can be made again', async (t) => {
  const folder = smallDisk(t, 64 * 4096);
  if (folder === undefined) return;
  const store = await open(t, join(folder, 'features'));
  const big = async () => {
    const names = Array.from({ length: 500 }, (_, i) => `/${'y'.repeat(i)}`);
    for (;;) await add(store, ...names);
  };
  await assert.rejects(big, { code: 'ENOSPC' });
  assert.ok(store.holds(0));
  await store.dropOwn();
  assert.ok(!store.holds(0));
  assert.deepEqual(readdirSync(join(folder, 'features')), []);
  writeFileSync(join(folder, 'checkpoint'), Buffer.alloc(50 * 4096));
  assert.equal(await store.freeBytes(), 14 * 4096);
});
