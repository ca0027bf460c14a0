import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withRoomFor } from '#src/data/memory-budget.js';

const megabyte = 2 ** 20;

/** Begins pieces of work of these sizes at once, and tells how many megabytes were in use at most. */
async function mostInUse(megabytes: readonly number[]): Promise<{ most: number; done: number[] }> {
  let used = 0;
  let most = 0;
  const done: number[] = [];
  const work = (size: number) =>
    withRoomFor(size * megabyte, async () => {
      used += size;
      most = Math.max(most, used);
      await new Promise((resolve) => setImmediate(resolve));
      used -= size;
      done.push(size);
    });
  await Promise.all(megabytes.map(work));
  return { most, done };
}

test('small images are decoded at the same time, large ones one after the other', async () => {
  assert.equal((await mostInUse([1, 2, 3, 4])).most, 10);
  const { most, done } = await mostInUse([100, 100, 100, 100, 100]);
  assert.equal(most, 200);
  assert.equal(done.length, 5);
});

test('an image that exceeds the budget is decoded alone', async () => {
  const { most, done } = await mostInUse([10, 400, 20, 500]);
  assert.equal(most, 500);
  assert.deepEqual(
    [...done].sort((a, b) => a - b),
    [10, 20, 400, 500],
  );
});

test('work that fails gives its room back', async () => {
  const failing = () => Promise.reject(new Error('no'));
  await assert.rejects(withRoomFor(300 * megabyte, failing), /no/);
  assert.equal((await mostInUse([200])).most, 200);
});
