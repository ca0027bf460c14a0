// Numbers for tests: written out, or drawn by a small generator so that every run sees the same.

import type { HostTensor } from '#src/graph/session.js';

/** A value that is fed to a graph. */
export interface Sample extends HostTensor {
  /** The first axis is left open when the graph is built. */
  dynamic?: boolean;
  /** No gradient is asked for. */
  fixed?: boolean;
}

/** float32 `values` in row-major order, or one that depends on the position. */
export function floats(
  shape: readonly number[],
  values: readonly number[] | ((index: number) => number),
  marks: Pick<Sample, 'dynamic' | 'fixed'> = {},
): Sample {
  const length = count(shape);
  const data = Float32Array.from({ length }, (_, i) => (typeof values === 'function' ? values(i) : (values[i] ?? NaN)));
  return { dtype: 'float32', shape, data, ...marks };
}

export function ints(shape: readonly number[], values: readonly number[], marks: Pick<Sample, 'dynamic'> = {}): Sample {
  return { dtype: 'int32', shape, data: Int32Array.from(values), ...marks };
}

/** Numbers in [-1, 1) without order (mulberry32). */
export function noise(seed: number, length: number): number[] {
  let state = seed;
  return Array.from({ length }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  });
}

/** As `noise`, as a tensor. */
export function noisy(seed: number, shape: readonly number[], marks: Pick<Sample, 'dynamic' | 'fixed'> = {}): Sample {
  return floats(shape, noise(seed, count(shape)), marks);
}

/** In no order, but no two closer than 0.1 and none closer than 0.05 to zero: for functions with corners. */
export function separated(
  seed: number,
  shape: readonly number[],
  marks: Pick<Sample, 'dynamic' | 'fixed'> = {},
): Sample {
  const length = count(shape);
  const rank = noise(seed, length)
    .map((key, index) => ({ key, index }))
    .sort((a, b) => a.key - b.key);
  const values = new Array<number>(length);
  for (const [position, { index }] of rank.entries()) {
    values[index] = (position - Math.floor(length / 2) + 0.5) / 10;
  }
  return floats(shape, values, marks);
}

export function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
