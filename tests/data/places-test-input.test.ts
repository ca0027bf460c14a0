import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openDataset } from '#src/data/dataset.js';
import type { ImageList } from '#src/data/image-list.js';
import { createLoader } from '#src/data/loader.js';
import { preprocessings } from '#src/data/preprocessing.js';

const folder = fileURLToPath(new URL('../../../tests/places_test_input/', import.meta.url));
const { classes, train, validation, test: held, warnings } = await openDataset(folder, { valSplit: 0.2 });
assert.ok(held);

test('the test images are the five classes, 12 and 4 pictures each', () => {
  assert.deepEqual(classes, ['alley', 'auto_factory', 'beach', 'boathouse', 'butte']);
  assert.deepEqual([train.length, validation.length, held.length], [48, 12, 20]);
  assert.deepEqual(warnings, []);
});

test('no two pictures are the same, and all are small', () => {
  const hashes = new Set<string>();
  for (const list of [train, validation, held]) {
    for (let i = 0; i < list.length; i++) {
      const file = readFileSync(list.at(i).path);
      assert.ok(file.length < 15_000, list.at(i).path);
      hashes.add(createHash('sha256').update(file).digest('hex'));
    }
  }
  assert.equal(hashes.size, 80);
});

/** Each picture as 8 x 8 squares of mean colour, with its class. */
async function thumbnails(images: ImageList): Promise<{ colours: number[]; label: number }[]> {
  const order = Uint32Array.from({ length: images.length }, (_, i) => i);
  const found: { colours: number[]; label: number }[] = [];
  for await (const batch of createLoader({ images, order, batchSize: 16, preprocessing: preprocessings.resnet })) {
    for (const [i, label] of batch.labels.entries()) {
      const colours = new Array<number>(8 * 8 * 3).fill(0);
      for (let j = 0; j < 224 * 224 * 3; j++) {
        const [y, x, channel] = [Math.floor(j / 672), Math.floor(j / 3) % 224, j % 3];
        const square = (Math.floor(y / 28) * 8 + Math.floor(x / 28)) * 3 + channel;
        colours[square] = (colours[square] ?? 0) + (batch.pixels[i * 224 * 224 * 3 + j] ?? 0) / 784;
      }
      found.push({ colours, label });
    }
  }
  return found;
}

test('classes can be told apart: the nearest training picture by colour is mostly of the same class', async () => {
  const [known, asked] = [await thumbnails(train), await thumbnails(held)];
  const distance = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + (value - (b[i] ?? 0)) ** 2, 0);
  const right = asked.filter(({ colours, label }) => {
    const nearest = known.toSorted((a, b) => distance(a.colours, colours) - distance(b.colours, colours))[0];
    return nearest?.label === label;
  });
  assert.ok(right.length >= 17, `${right.length} of 20`);
});
