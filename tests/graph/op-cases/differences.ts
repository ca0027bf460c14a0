import assert from 'node:assert/strict';
import type { Tensor } from '#src/graph/graph.js';
import { sub } from '#src/graph/ops/math.js';
import { assertClose } from '../closeness.js';

/** Each tensor less the one that is expected in its place. */
export const differences = (found: readonly Tensor[], expected: readonly Tensor[]): Tensor[] =>
  found.map((tensor, index) => sub(tensor, expected[index] ?? tensor));

/** A judgement of differences that may be no larger than `largest`, and that are not of nothing. */
export function expectZeros(largest: number) {
  return (outputs: readonly (readonly number[])[]): void => {
    for (const [index, values] of outputs.entries()) {
      assert.ok(values.length > 0, `output ${index} is empty`);
      const found = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      assert.ok(found <= largest, `output ${index} differs by ${found}`);
    }
  };
}

/** A judgement of pairs, one found and one expected: the largest difference, relative to the largest value. */
export function expectAlike(tolerance: number) {
  return (outputs: readonly (readonly number[])[]): void => {
    assert.ok(outputs.length > 0 && outputs.length % 2 === 0);
    for (let index = 0; index < outputs.length; index += 2) {
      const [found = [], expected = []] = outputs.slice(index, index + 2);
      assert.ok(expected.some((value) => value !== 0));
      assertClose(found, expected, tolerance);
    }
  };
}
