// Images that can't be read: they are left out of their batch, and listed there.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { ImageList } from '#src/data/image-list.js';
import { type BadImage, type Batch, createLoader, type LoaderOptions } from '#src/data/loader.js';
import { greyBytes, greyImages, greysOf, greyPreprocessing as preprocessing } from './grey-images.js';

const batchSize = 6;

function loaderOf(images: ImageList, options: Partial<LoaderOptions> = {}) {
  const order = Uint32Array.from({ length: images.length }, (_, i) => i);
  return createLoader({ images, order, batchSize, preprocessing, workers: 3, ...options });
}

interface Seen {
  position: number;
  good: number[];
  bad: readonly BadImage[];
}

/** Checks that the parts of a batch agree with its indices, and keeps what was in it. */
function seen({ pixels, labels, size, indices, bad, position }: Batch): Seen {
  const good = [...indices];
  assert.deepEqual(greysOf({ pixels, size }), good);
  assert.deepEqual(
    [...labels],
    good.map((index) => index % 5),
  );
  assert.equal(pixels.byteLength, Math.ceil((size * greyBytes) / 4) * 4);
  return { position, good, bad };
}

async function passOver(images: ImageList, options: Partial<LoaderOptions> = {}): Promise<Seen[]> {
  const batches: Seen[] = [];
  for await (const batch of loaderOf(images, options)) batches.push(seen(batch));
  return batches;
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

const cases: readonly { name: string; bad: readonly number[] }[] = [
  { name: 'none', bad: [] },
  { name: 'the first of a batch', bad: [6] },
  { name: 'the last of a batch', bad: [11] },
  { name: 'one in the middle', bad: [15] },
  { name: 'neighbours', bad: [14, 15] },
  { name: 'every second one', bad: [12, 14, 16] },
  { name: 'all but the last', bad: range(18, 23) },
  { name: 'a whole batch', bad: range(12, 18) },
  { name: 'the first and the last batch', bad: [...range(0, 6), ...range(36, 40)] },
  { name: 'one in the last, smaller batch', bad: [38] },
  { name: 'every image', bad: range(0, 40) },
];

for (const { name, bad } of cases) {
  test(`unreadable, ${name}: left out and listed, the others as they are`, async (t) => {
    const images = await greyImages(t, bad);
    const batches = await passOver(images);
    for (const [position, batch] of batches.entries()) {
      const members = range(position * batchSize, Math.min(40, (position + 1) * batchSize));
      const badOnes = members.filter((index) => bad.includes(index));
      assert.deepEqual(batch, {
        position,
        good: members.filter((index) => !bad.includes(index)),
        bad: badOnes.map((index) => ({
          path: images.at(index).path,
          reason: batch.bad[0]?.reason,
          index,
        })),
      });
      for (const { reason } of batch.bad) assert.match(reason, /^[a-z].*no image/);
    }
    assert.equal(batches.length, 7);
  });
}

test('what a bad image does to its batch does not depend on the workers or on where the pass began', async (t) => {
  const images = await greyImages(t, [1, 13, 14, 39]);
  const order = Uint32Array.from({ length: 40 }, (_, i) => (i * 7) % 40);
  const whole = await passOver(images, { order });
  assert.deepEqual(await passOver(images, { order, workers: 1, prefetch: 1 }), whole);
  for (const firstBatch of [1, 4, 6]) {
    assert.deepEqual(await passOver(images, { order, firstBatch }), whole.slice(firstBatch));
  }
});

test('an image that vanishes during a pass is left out from then on', async (t) => {
  const images = await greyImages(t);
  let batches = 0;
  for await (const batch of loaderOf(images, { prefetch: 1 })) {
    const { position, good, bad } = seen(batch);
    batches += 1;
    // Batches 0 and 1 are decoded before the file is removed.
    if (position === 0) rmSync(images.at(20).path);
    if (position !== 3) assert.deepEqual(bad, []);
    else {
      assert.deepEqual(good, [18, 19, 21, 22, 23]);
      assert.deepEqual(bad, [{ path: images.at(20).path, reason: 'no such file (or a link to nowhere)', index: 20 }]);
    }
  }
  assert.equal(batches, 7);
});

test('no more buffers exist than batches are in flight, bad images or not', async (t) => {
  const buffers = new Set<ArrayBufferLike>();
  const images = await greyImages(t, [0, 9, 10, 11, 25]);
  for await (const { pixels } of loaderOf(images, { batchSize: 2, prefetch: 2 })) buffers.add(pixels.buffer);
  assert.equal([...buffers].filter((buffer) => buffer.byteLength > 0).length, 3);
});

test('running out of open files makes no image bad, and leaves some to the rest of the program', async (t) => {
  const images = await greyImages(t);
  const program = `
    import { closeSync, openSync } from 'node:fs';
    import { createLoader } from '#src/data/loader.js';
    const paths = ${JSON.stringify(range(0, 40).map((index) => images.at(index).path))};
    const images = { length: 400, at: (index) => ({ path: paths[index % 40], label: 0 }) };
    const order = Uint32Array.from({ length: 400 }, (_, i) => i);
    const preprocessing = ${JSON.stringify(preprocessing)};
    const pass = async () => {
      for await (const { size, bad } of createLoader({ images, order, batchSize: 400, workers: 1024, preprocessing })) {
        console.log(size + ' good, ' + bad.length + ' bad');
      }
    };
    await pass();
    const timer = setInterval(() => Array.from({ length: 5 }, () => openSync('/dev/null')).forEach(closeSync), 1);
    await pass();
    await pass();
    clearInterval(timer);`;
  const script = 'ulimit -n 64; exec "$0" --input-type=module -e "$1"';
  const { stdout } = await promisify(execFile)('sh', ['-c', script, process.execPath, program], { timeout: 300_000 });
  assert.equal(stdout, '400 good, 0 bad\n'.repeat(3));
});
