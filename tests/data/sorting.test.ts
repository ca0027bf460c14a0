import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareCodePoints, sortByCodePoint } from '#src/data/sorting.js';

test('names sort by code point, as in Python', () => {
  // Python: sorted(['b', 'B', 'é', '_', '10', '9', 'ab', 'a', '\uff5e', '\U0001f600'])
  const sorted = ['10', '9', 'B', '_', 'a', 'ab', 'b', 'é', '\uff5e', '\u{1f600}'];
  assert.deepEqual(sortByCodePoint(sorted.toReversed()), sorted);
});

test('the comparison agrees with the order of code points around the surrogates', () => {
  const ascending = ['\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}'];
  for (const [i, a] of ascending.entries()) {
    for (const [j, b] of ascending.entries()) {
      assert.equal(Math.sign(compareCodePoints(`x${a}`, `x${b}`)), Math.sign(i - j));
    }
  }
  assert.ok(compareCodePoints('a', 'ab') < 0);
});
