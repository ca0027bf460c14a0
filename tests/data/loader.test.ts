import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ImageList } from '#src/data/image-list.js';
import { createLoader, type LoaderOptions } from '#src/data/loader.js';
import { greyBytes, greyImages, greysOf, greyPreprocessing as preprocessing } from './grey-images.js';

function loaderOf(images: ImageList, options: Partial<LoaderOptions> = {}) {
  const order = Uint32Array.from({ length: images.length }, (_, i) => (i * 7) % images.length);
  return createLoader({ images, order, batchSize: 6, preprocessing, workers: 3, ...options });
}

const fixtures = ['wide.jpg', 'grey.jpg', 'tall.png', 'exact.jpg', 'transparent.webp'].map((name) =>
  fileURLToPath(new URL(`../../../tests/data/fixtures/${name}`, import.meta.url)),
);
const photos: ImageList = { length: 20, at: (index) => ({ path: fixtures[index % 5] ?? '', label: 0 }) };
const augment = { kind: 'trivial', seed: 3, epoch: 1 } as const;

/** Each image's pixels by its index, as they came out of a pass. */
async function squaresOf(options: Partial<LoaderOptions>): Promise<Map<number, Buffer>> {
  const squares = new Map<number, Buffer>();
  for await (const { pixels, indices } of loaderOf(photos, options)) {
    for (const [i, index] of indices.entries()) {
      squares.set(index, Buffer.from(pixels.subarray(i * greyBytes, (i + 1) * greyBytes)));
    }
  }
  return squares;
}

test('augmented images are the same whatever the workers, the batches and where the epoch is begun', async () => {
  const whole = await squaresOf({ augment, workers: 1 });
  assert.equal(whole.size, photos.length);
  // The same file, but another box.
  assert.notDeepEqual(whole.get(0), whole.get(5));
  assert.deepEqual(await squaresOf({ augment, workers: 4, batchSize: 3 }), whole);
  const rest = Uint32Array.of(7, 19, 0, 4);
  for (const [index, square] of await squaresOf({ augment, order: rest })) assert.deepEqual(square, whole.get(index));
});

test('another epoch or seed changes every image, and none changes nothing', async () => {
  const first = await squaresOf({ augment: { ...augment, kind: 'basic' } });
  for (const change of [{ epoch: 2 }, { seed: 4 }]) {
    const second = await squaresOf({ augment: { ...augment, kind: 'basic', ...change } });
    for (const [index, square] of second) assert.notDeepEqual(square, first.get(index), `image ${index}`);
  }
  assert.deepEqual(await squaresOf({ augment: { ...augment, kind: 'none' } }), await squaresOf({}));
});

test('every image comes once, in order, with its label', async (t) => {
  const images = await greyImages(t);
  const loader = loaderOf(images);
  assert.deepEqual([loader.batches, loader.images], [7, 40]);
  const sizes: number[] = [];
  const seen: number[] = [];
  for await (const batch of loader) {
    sizes.push(batch.size);
    assert.deepEqual(greysOf(batch), [...batch.indices]);
    assert.deepEqual(
      [...batch.labels],
      Array.from(batch.indices, (index) => index % 5),
    );
    assert.equal(batch.pixels.byteOffset, 0);
    assert.equal(batch.pixels.byteLength, Math.ceil((batch.size * greyBytes) / 4) * 4);
    assert.ok(batch.waitMs >= 0);
    seen.push(...batch.indices);
  }
  assert.deepEqual(sizes, [6, 6, 6, 6, 6, 6, 4]);
  assert.deepEqual(
    seen,
    Array.from({ length: 40 }, (_, i) => (i * 7) % 40),
  );
});

test('two passes at once do not mix', async (t) => {
  const images = await greyImages(t);
  const check = async (batchSize: number) => {
    for await (const batch of loaderOf(images, { batchSize })) assert.deepEqual(greysOf(batch), [...batch.indices]);
  };
  await Promise.all([check(6), check(11)]);
});

test('no more buffers exist than batches are in flight', async (t) => {
  const seen = new Set<ArrayBufferLike>();
  for await (const { pixels } of loaderOf(await greyImages(t), { batchSize: 2, prefetch: 2 })) seen.add(pixels.buffer);
  // Those handed back to the decoding thread are detached; the last three had no batch left to hold.
  assert.equal([...seen].filter((buffer) => buffer.byteLength > 0).length, 3);
});

test('leaving early drops what was decoded ahead, bad images included', async (t) => {
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  process.on('unhandledRejection', note);
  t.after(() => process.off('unhandledRejection', note));
  const images = await greyImages(t, [21, 22, 23]);
  const order = Uint32Array.from({ length: 40 }, (_, i) => i);
  for (let pass = 0; pass < 20; pass++) {
    for await (const batch of loaderOf(images, { order })) {
      assert.equal(batch.size, 6);
      break;
    }
  }
  await sleep(50);
  assert.deepEqual(unhandled, []);
});

/** Images that take long to decode. */
function largeImages(length: number) {
  const path = fileURLToPath(new URL('../../../tests/data/fixtures/large.jpg', import.meta.url));
  return { length, at: () => ({ path, label: 0 }) };
}

test('what a pass left early had asked for does not hold up the next one', async () => {
  const images = largeImages(100);
  const pass = loaderOf(images, { batchSize: 1, prefetch: 99 });
  // In time of the processor, which a busy machine does not lengthen.
  const time = async (work: () => Promise<unknown>) => {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  const wholeMs = await time(async () => {
    for await (const { size } of pass) assert.equal(size, 1);
  });
  for await (const _ of pass) break;
  const afterwardsMs = await time(async () => {
    for await (const _ of loaderOf(images, { batchSize: 1, prefetch: 1 })) break;
  });
  assert.ok(afterwardsMs < wholeMs / 3, `${afterwardsMs} ms for the first batch, ${wholeMs} ms for all 100`);
});

test('batches are decoded while the main thread is blocked', async () => {
  const images = largeImages(40);
  const medianWait = async (blockMs: number) => {
    const waits: number[] = [];
    for await (const { waitMs } of loaderOf(images, { batchSize: 4 })) {
      waits.push(waitMs);
      const until = performance.now() + blockMs;
      while (performance.now() < until);
    }
    return waits.slice(1).sort((a, b) => a - b)[4] ?? Number.NaN;
  };
  // On a busy machine both take longer, and one of them may do so alone.
  const seen: string[] = [];
  for (let attempt = 0; attempt < 10; attempt++) {
    const [decodingMs, waitMs] = [await medianWait(0), await medianWait(100)];
    if (waitMs < decodingMs / 2) return;
    seen.push(`${waitMs.toFixed(1)} of ${decodingMs.toFixed(1)} ms`);
  }
  assert.fail(`waited ${seen.join(', ')}`);
});

test('the decoding thread does not keep a finished program alive', async (t) => {
  const images = await greyImages(t);
  const program = `
    import { createLoader } from '#src/data/loader.js';
    const images = { length: 1, at: () => ({ path: ${JSON.stringify(images.at(0).path)}, label: 0 }) };
    const preprocessing = ${JSON.stringify(preprocessing)};
    for await (const batch of createLoader({ images, order: new Uint32Array(9), batchSize: 2, preprocessing })) {
      console.log(batch.size);
    }`;
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { timeout: 300_000 });
  assert.equal((await run).stdout, '2\n2\n2\n2\n1\n');
});

test('an empty order gives no batches', async (t) => {
  const loader = loaderOf(await greyImages(t), { order: new Uint32Array(0) });
  assert.equal(loader.batches, 0);
  for await (const _ of loader) assert.fail('no batch was expected');
});

test('a pass can begin at any batch: those that follow are the ones of a whole pass', async () => {
  const passFrom = async (firstBatch: number) => {
    const loader = loaderOf(photos, { augment, batchSize: 3, firstBatch });
    assert.deepEqual([loader.batches, loader.images], [7, 20]);
    const batches: { position: number; indices: number[]; labels: number[]; pixels: Buffer }[] = [];
    for await (const { position, indices, labels, pixels } of loader) {
      batches.push({ position, indices: [...indices], labels: [...labels], pixels: Buffer.from(pixels) });
    }
    return batches;
  };
  const whole = await passFrom(0);
  assert.deepEqual(
    whole.map(({ position }) => position),
    [0, 1, 2, 3, 4, 5, 6],
  );
  for (const firstBatch of [1, 3, 6, 7]) assert.deepEqual(await passFrom(firstBatch), whole.slice(firstBatch));
});

test('a first batch that there is not is a bug', () => {
  for (const firstBatch of [-1, 8, 1.5, Number.NaN]) {
    assert.throws(
      () => loaderOf(photos, { batchSize: 3, firstBatch }),
      /^Error: internal: the loader's first batch is/,
    );
  }
});
