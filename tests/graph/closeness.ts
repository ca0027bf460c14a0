import assert from 'node:assert/strict';

/** The largest difference, relative to the largest expected value. */
export function relativeError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  let furthest = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i] ?? Number.NaN));
    furthest = Math.max(furthest, Math.abs((found[i] ?? Number.NaN) - (expected[i] ?? Number.NaN)));
  }
  return furthest === 0 ? 0 : furthest / largest;
}

/** Fails unless no number is further off than `tolerance` times the largest expected one. */
export function assertClose(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  const error = relativeError(found, expected);
  const shown = (list: ArrayLike<number>) => Array.from(list).slice(0, 12).join(', ');
  assert.ok(
    error <= tolerance,
    `off by ${error} (at most ${tolerance}): [${shown(found)}] instead of [${shown(expected)}]`,
  );
}
