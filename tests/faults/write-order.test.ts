import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomRow, spread } from './random.js';
import { type Call, orderMistakes } from './write-order.js';

const call = (kind: string, to: string, from = ''): Call => ({ kind, to, from });
const safe = [
  call('write', 'a/.new'),
  call('fsync', 'a/.new'),
  call('rename', 'a/file', 'a/.new'),
  call('folder-fsync', 'a'),
];

test('a file that is written, synced, renamed and synced again by name would survive a crash', () => {
  assert.deepEqual(orderMistakes([...safe, ...safe]), []);
});

test('what is left out is found', () => {
  const without = (index: number) => orderMistakes(safe.filter((_, other) => other !== index));
  assert.match(without(1).join(), /^call 1: a\/file takes the place of another before it is on the disk$/);
  assert.deepEqual(without(3), ['a/file never gets to the disk']);
  const twice = [...safe.slice(0, 3), ...safe];
  assert.match(orderMistakes(twice).join(), /replaced again before its name was on the disk/);
});

test('a link is as safe as the file that it is another name of', () => {
  const linked = [call('write', 'a/file'), call('link', 'a/.other', 'a/file'), call('rename', 'a/other', 'a/.other')];
  assert.match(orderMistakes([...linked, call('folder-fsync', 'a')]).join(), /a\/other takes the place/);
});

test('chosen calls are spread from the first to the last', () => {
  assert.deepEqual(spread(100, 4), [1, 34, 67, 100]);
  assert.deepEqual(spread(3, 20), [1, 2, 3]);
  assert.deepEqual(spread(5, 1), [1]);
});

test('a seed gives the same numbers again, from 0 to below 1, and each name others', () => {
  const row = (seed: number, name: string) => {
    const random = randomRow(seed, name);
    return Array.from({ length: 1000 }, random);
  };
  assert.deepEqual(row(1, 'kills'), row(1, 'kills'));
  assert.notDeepEqual(row(1, 'kills'), row(2, 'kills'));
  assert.notDeepEqual(row(1, 'kills'), row(1, 'signals'));
  const numbers = row(1, 'kills');
  assert.ok(numbers.every((number) => number >= 0 && number < 1));
  const tenths = new Set(numbers.map((number) => Math.floor(number * 10)));
  assert.equal(tenths.size, 10);
});
