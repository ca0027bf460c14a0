import assert from 'node:assert/strict';
import { test } from 'node:test';
import { didYouMean, editDistance, nearest } from '#src/options/nearest.js';

test('the distance counts inserted, deleted, replaced and swapped letters', () => {
  const cases: [string, string, number][] = [
    ['', '', 0],
    ['', 'abc', 3],
    ['abc', '', 3],
    ['epochs', 'epochs', 0],
    ['epoch', 'epochs', 1],
    ['epohcs', 'epochs', 1],
    ['kitten', 'sitting', 3],
    ['ca', 'abc', 3],
    ['ab', 'ba', 1],
  ];
  for (const [a, b, distance] of cases) assert.equal(editDistance(a, b), distance, `${a} -> ${b}`);
});

test('the nearest name is found, and none where none is near', () => {
  const names = ['epochs', 'batch_size', 'lr', 'model', 'momentum', 'run_name', 'val_split', 'data_dir'];
  const cases: [string, string | undefined][] = [
    ['epoch', 'epochs'],
    ['epohcs', 'epochs'],
    ['batchSize', 'batch_size'],
    ['batch-szie', 'batch_size'],
    ['batch', 'batch_size'],
    ['MODEL', 'model'],
    ['ls', 'lr'],
    ['runname', 'run_name'],
    ['val', 'val_split'],
    ['zebra', undefined],
    ['', undefined],
    ['x', undefined],
    ['q'.repeat(10_000), undefined],
  ];
  for (const [word, expected] of cases) assert.equal(nearest(word, names), expected, word.slice(0, 20));
});

test('a mistake is mended by what was meant, in another way, by both or by nothing', () => {
  assert.equal(didYouMean('lr', 'See --help'), 'Did you mean lr? See --help');
  assert.equal(didYouMean('lr'), 'Did you mean lr');
  assert.equal(didYouMean(undefined, 'See --help'), 'See --help');
  assert.equal(didYouMean(undefined), undefined);
});
