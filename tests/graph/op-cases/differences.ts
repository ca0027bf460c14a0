import assert from 'node:assert/strict';

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
