import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLoader } from '#src/data/loader.js';
import { UserError } from '#src/errors.js';
import { greyImages, greysOf, greyPreprocessing as preprocessing } from './grey-images.js';

test('a batch takes no more memory than there are images, however large it may be', async (t) => {
  const images = await greyImages(t);
  const order = Uint32Array.of(3, 1, 2);
  const loader = createLoader({ images, order, batchSize: 2 ** 50, preprocessing });
  assert.equal(loader.batches, 1);
  const greys: number[] = [];
  for await (const batch of loader) {
    assert.equal(batch.size, 3);
    greys.push(...greysOf(batch));
  }
  assert.deepEqual(greys, [3, 1, 2]);
});

test('a batch for which there is no memory is the mistake of who wants it', async () => {
  const images = { length: 65_536, at: () => ({ path: '/none', label: 0 }) };
  const order = new Uint32Array(images.length);
  const huge = { ...preprocessing, crop: 1_000_000 };
  await assert.rejects(
    createLoader({ images, order, batchSize: 65_536, preprocessing: huge })[Symbol.asyncIterator]().next(),
    (error) => {
      assert.ok(error instanceof UserError, String(error));
      assert.equal(
        error.message,
        'There is no memory for a batch: found 65536 images of 1000000 x 1000000 pixels in one. Choose a smaller --batch_size.',
      );
      return true;
    },
  );
});
