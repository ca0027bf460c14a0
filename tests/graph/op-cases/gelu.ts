import { gradients } from '#src/graph/autodiff.js';
import type { Tensor } from '#src/graph/graph.js';
import { cast } from '#src/graph/ops/array.js';
import { fusedGelu, gelu } from '#src/graph/ops/gelu.js';
import { mul, sum } from '#src/graph/ops/math.js';
import { forwardCase, gradientCase } from '../op-case.js';
import { floats, noisy } from '../samples.js';
import { differences, expectZeros } from './differences.js';

/** x, and the normal distribution up to x: Abramowitz and Stegun, table 26.1. */
const normal = [
  [0, 0.5],
  [1, 0.8413447461],
  [-1, 0.1586552539],
  [2, 0.9772498681],
  [-3, 0.001349898],
] as const;
const points = floats(
  [normal.length],
  normal.map(([x]) => x),
);

/** The distribution up to -3, -5 and -8. */
const tails = [1.349898032e-3, 2.866515719e-7, 6.220960574e-16];

const both = [
  { of: gelu, op: 'Erf' },
  { of: fusedGelu, op: 'DeepCnnGelu' },
] as const;

/** The result and the gradient at x. */
const all = (of: typeof gelu, x: Tensor, dy: Tensor) => {
  const y = of(x);
  return [y, ...gradients(sum(cast(mul(y, dy), 'float32')), [x])];
};

const fromTensorflow = (x: Tensor, dy: Tensor) => differences(all(fusedGelu, x, dy), all(gelu, x, dy));

/** From -8 to 8, in more numbers than one task of the kernel computes, and no multiple of a vector. */
const wide = floats([2, 9001], (i) => ((i % 9001) - 4500) / 562.5, { dynamic: true });
const dy = noisy(3, [2, 9001], { dynamic: true });

export const forward = [
  ...both.map(({ of, op }) =>
    forwardCase({
      op,
      name: 'in GELU',
      inputs: [points],
      build: ([x]) => of(x),
      expected: normal.map(([x, below]) => x * below),
    }),
  ),
  forwardCase({
    op: 'DeepCnnGelu',
    name: 'far below zero, relative to itself',
    inputs: [floats([3], [-3, -5, -8])],
    build: ([x]) => mul(fusedGelu(x), x),
    // -3, -5 and -8 times the normal distribution up to there, times them once more.
    expected: ([found = []]) =>
      expectZeros(5e-6)([found.map((y, i) => y / ([9, 25, 64][i] ?? 0) / (tails[i] ?? 0) - 1)]),
  }),
  forwardCase({
    op: 'DeepCnnGelu',
    name: 'infinite and no numbers',
    inputs: [floats([3], [Number.POSITIVE_INFINITY, Number.NaN, 100])],
    build: ([x]) => fusedGelu(x),
    expected: ([found = []]) =>
      expectZeros(0)([[found[0] === Number.POSITIVE_INFINITY && Number.isNaN(found[1]) ? 0 : 1]]),
  }),
  forwardCase({
    op: 'DeepCnnGeluGrad',
    name: "as TensorFlow's",
    inputs: [wide, dy],
    build: ([x, upstream]) => fromTensorflow(x, upstream),
    expected: expectZeros(2e-6),
  }),
  forwardCase({
    op: 'DeepCnnGeluGrad',
    name: "in bfloat16 as TensorFlow's",
    inputs: [wide, dy],
    build: ([x, upstream]) => fromTensorflow(cast(x, 'bfloat16'), cast(upstream, 'bfloat16')),
    expected: expectZeros(0.07),
  }),
];

export const backward = both.map(({ of, op }) =>
  gradientCase({
    op,
    name: 'gelu, smooth',
    inputs: [floats([4, 3], (i) => (i - 5) / 2.5, { dynamic: true })],
    build: ([x]) => of(x),
  }),
);
