import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UserError } from '#src/errors.js';
import { finite } from '#src/training/finite.js';

const tensors = (...values: number[]) =>
  new Map([['fc.bias', { shape: [values.length], data: Float32Array.from(values) }]]);

describe('tensors that are to be saved', () => {
  it('pass where all numbers are finite', () => {
    const sound = tensors(0, -0, 3.4e38, -3.4e38, 1e-45);
    assert.equal(finite(sound, 'weights'), sound);
  });

  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    it(`are refused by name with ${value} among them`, () => {
      assert.throws(
        () => finite(tensors(1, value, 2), 'weights'),
        (error: Error) => error instanceof UserError && /the weights of fc\.bias are not finite/.test(error.message),
      );
    });
  }
});
