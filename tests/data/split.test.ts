import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitTrainValidation, trainSize } from '#src/data/split.js';

test('the split is the one of the original program', () => {
  const { train, validation } = splitTrainValidation(10, 0.2);
  assert.deepEqual([...train], [2, 6, 1, 8, 4, 5, 0, 9]);
  assert.deepEqual([...validation], [3, 7]);
});

test('four fifths, rounded down, are for training', () => {
  for (const [count, train] of [
    [5, 4],
    [7, 5],
    [50, 40],
    [49990, 39992],
  ] as const) {
    assert.equal(trainSize(count, 0.2), train);
  }
  for (let count = 0; count < 10000; count++) assert.equal(trainSize(count, 0.2), Math.floor((count * 4) / 5));
});

test('a share that binary fractions miss by a hair still counts whole images', () => {
  assert.equal(trainSize(10, 0.9), 1); // (1 - 0.9) * 10 = 0.9999999999999998
  assert.equal(trainSize(1_800_000, 0.1), 1_620_000);
  assert.equal(trainSize(3, 0), 3);
});

test('another seed draws other images', () => {
  assert.notDeepEqual(splitTrainValidation(50, 0.2, 43), splitTrainValidation(50, 0.2));
});
