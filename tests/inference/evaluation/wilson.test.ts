import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wilsonShare } from '#src/inference/evaluation/wilson.js';

// Newcombe 1998, Statistics in Medicine 17, table I, method 3.
for (const [successes, trials, low, high] of [
  [81, 263, 25.53, 36.62],
  [15, 148, 6.24, 16.05],
  [0, 20, 0, 16.11],
  [1, 29, 0.61, 17.18],
] as const) {
  test(`the interval of ${successes} of ${trials}`, () => {
    const share = wilsonShare(successes, trials);
    assert.equal(share.percent.toFixed(2), ((100 * successes) / trials).toFixed(2));
    assert.equal(share.low.toFixed(2), low.toFixed(2));
    assert.equal(share.high.toFixed(2), high.toFixed(2));
  });
}

test('the interval of all ends at 100', () => {
  const { low, high } = wilsonShare(20, 20);
  assert.equal(high, 100);
  assert.equal(low.toFixed(2), (100 - 16.11).toFixed(2));
});
