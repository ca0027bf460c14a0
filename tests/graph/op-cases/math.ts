import type { Tensor } from '#src/graph/graph.js';
import { cast } from '#src/graph/ops/array.js';
import {
  add,
  div,
  finite,
  greaterEqual,
  halfSquares,
  matMul,
  mean,
  mul,
  neg,
  rsqrt,
  sqrt,
  square,
  sub,
  sum,
} from '#src/graph/ops/math.js';
import { forwardCase, gradientCase } from '../op-case.js';
import { floats, noisy, type Sample } from '../samples.js';

const binary = { AddV2: add, Sub: sub, Mul: mul, RealDiv: div } as const;
type Binary = keyof typeof binary;
const isLinear = (op: Binary) => op !== 'RealDiv';

/** Away from zero, so that it may be divided by. */
const divisor = (shape: readonly number[], marks = {}): Sample =>
  floats(shape, (i) => (i % 2 ? -1 : 1) * (1 + 0.3 * i), marks);

const polynomial = { step: 0.1, tolerance: 1e-4 };

const ten = Array.from({ length: 10 }, (_, i) => i);

export const forward = [
  forwardCase({
    op: 'AddV2',
    name: 'a row to each row',
    inputs: [floats([2, 3], [1, 2, 3, 4, 5, 6]), floats([3], [10, 20, 30])],
    build: ([a, b]) => add(a, b),
    expected: [11, 22, 33, 14, 25, 36],
  }),
  forwardCase({
    op: 'Sub',
    name: 'a column against a row',
    inputs: [floats([2, 1], [10, 20]), floats([3], [1, 2, 3])],
    build: ([a, b]) => sub(a, b),
    expected: [9, 8, 7, 19, 18, 17],
  }),
  forwardCase({
    op: 'Mul',
    name: 'with a scalar',
    inputs: [floats([3], [1, -2, 0.5]), floats([], [-2])],
    build: ([a, b]) => [mul(a, b), mul(b, a)],
    expected: [
      [-2, 4, -1],
      [-2, 4, -1],
    ],
  }),
  forwardCase({
    op: 'RealDiv',
    inputs: [floats([3], [1, -6, 0]), floats([3], [4, 3, 2])],
    build: ([a, b]) => div(a, b),
    expected: [0.25, -2, 0],
  }),
  forwardCase({ op: 'Neg', inputs: [floats([3], [1, -2, 0.5])], build: ([x]) => neg(x), expected: [-1, 2, -0.5] }),
  forwardCase({ op: 'Sqrt', inputs: [floats([3], [4, 2.25, 0])], build: ([x]) => sqrt(x), expected: [2, 1.5, 0] }),
  forwardCase({ op: 'Rsqrt', inputs: [floats([3], [4, 0.25, 1])], build: ([x]) => rsqrt(x), expected: [0.5, 2, 1] }),
  forwardCase({ op: 'Square', inputs: [floats([3], [3, -0.5, 0])], build: ([x]) => square(x), expected: [9, 0.25, 0] }),
  forwardCase({
    op: 'GreaterEqual',
    inputs: [floats([2, 2], [1, 2, 3, 2]), floats([2], [2, 2])],
    build: ([a, b]) => cast(greaterEqual(a, b), 'float32'),
    expected: [0, 1, 1, 1],
  }),
  forwardCase({
    op: 'IsFinite',
    inputs: [floats([6], [1, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, -3.4e38])],
    build: ([x]) => cast(finite(x), 'float32'),
    expected: [1, 1, 0, 0, 0, 1],
  }),
  forwardCase({
    op: 'L2Loss',
    inputs: [floats([2, 2], [1, -2, 0.5, 3], { dynamic: true }), floats([2], [1, Number.NaN])],
    build: ([x, y]) => [halfSquares(x), cast(finite(halfSquares(y)), 'float32')],
    expected: [[7.125], [0]],
  }),
  forwardCase({
    op: 'MatMul',
    inputs: [floats([2, 3], [1, 2, 3, 4, 5, 6]), floats([3, 2], [1, 0, -1, 2, 0.5, 1])],
    build: ([a, b]) => matMul(a, b),
    expected: [0.5, 7, 2, 16],
  }),
  forwardCase({
    op: 'MatMul',
    name: 'both transposed',
    inputs: [floats([2, 3], [1, 2, 3, 4, 5, 6]), floats([2, 2], [1, 0, -1, 2])],
    build: ([a, b]) => matMul(a, b, { transposeA: true, transposeB: true }),
    // columns of a against rows of b
    expected: [1, 7, 2, 8, 3, 9],
  }),
  forwardCase({
    op: 'MatMul',
    name: 'the second transposed, with an open first axis',
    inputs: [floats([1, 2], [1, 2], { dynamic: true }), floats([3, 2], [1, 0, 0, 1, 2, -1])],
    build: ([x, weight]) => matMul(x, weight, { transposeB: true }),
    expected: [1, 2, 0],
  }),
  forwardCase({
    op: 'Sum',
    inputs: [floats([2, 3], [1, 2, 3, 4, 5, 6])],
    build: ([x]) => [sum(x), sum(x, [0]), sum(x, [1]), sum(x, [1], true)],
    expected: [[21], [5, 7, 9], [6, 15], [6, 15]],
  }),
  forwardCase({
    op: 'Mean',
    inputs: [floats([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 9], { dynamic: true })],
    build: ([x]) => [mean(x), mean(x, [0, 1]), mean(x, [2]), mean(x, [1], true)],
    expected: [[4.625], [4, 5.25], [1.5, 3.5, 5.5, 8], [2, 3, 6, 7.5]],
  }),
];

/** All pairs of shapes that can broadcast: the same, a missing leading axis, an axis of 1 in either or both, a scalar. */
const broadcasts: readonly (readonly [
  name: string,
  a: readonly number[],
  b: readonly number[],
  marks: Pick<Sample, 'dynamic'>,
])[] = [
  ['the same shape', [2, 3], [2, 3], {}],
  ['a missing leading axis', [2, 3], [3], {}],
  ['two missing leading axes', [2], [2, 3, 2], {}],
  ['a size-1 axis in the middle', [2, 1, 2], [2, 3, 2], {}],
  ['a size-1 axis in each', [3, 1], [1, 2], {}],
  ['a missing and a size-1 axis', [2, 3, 2], [1, 2], {}],
  ['size-1 axes on both sides', [1, 3], [1, 1], {}],
  ['a scalar', [2, 3], [], {}],
  ['a scalar first', [], [4], {}],
  ['an open first axis', [3, 2], [2], { dynamic: true }],
];

const binaryCases = (Object.keys(binary) as Binary[]).flatMap((op) =>
  broadcasts.map(([name, a, b, marks], index) =>
    gradientCase({
      op,
      name,
      inputs: [noisy(index, a, marks), divisor(b)],
      build: ([x, y]) => binary[op](x, y),
      ...(isLinear(op) ? { step: 0.1, tolerance: 1e-4 } : {}),
    }),
  ),
);

const transposes = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const;

const matMulCases = transposes.map(([transposeA, transposeB]) =>
  gradientCase({
    op: 'MatMul',
    name: `transposed ${transposeA}, ${transposeB}`,
    inputs: [noisy(1, transposeA ? [3, 2] : [2, 3]), noisy(2, transposeB ? [4, 3] : [3, 4])],
    build: ([a, b]) => matMul(a, b, { transposeA, transposeB }),
    step: 0.1,
    tolerance: 1e-4,
  }),
);

const reductions: readonly (readonly [name: string, axes: readonly number[] | undefined, keepDims: boolean])[] = [
  ['all axes', undefined, false],
  ['the open axis', [0], false],
  ['the open axis, kept', [0], true],
  ['inner axes', [1, 2], false],
  ['an inner axis, kept', [1], true],
  ['the open and the last axis', [0, 2], false],
];

const reductionCases = reductions.flatMap(([name, axes, keepDims]) =>
  Object.entries({ Sum: sum, Mean: mean }).map(([op, reduce]) =>
    gradientCase({
      op,
      name,
      inputs: [noisy(3, [3, 2, 2], { dynamic: true })],
      build: ([x]) => reduce(x, axes, keepDims),
      step: 0.1,
      tolerance: 1e-4,
    }),
  ),
);

export const backward = [
  ...binaryCases,
  ...matMulCases,
  ...reductionCases,
  gradientCase({
    op: 'Mul',
    name: 'a tensor with itself',
    inputs: [noisy(4, [5])],
    build: ([x]) => mul(x, x),
    step: 0.1,
    tolerance: 1e-4,
  }),
  gradientCase({
    op: 'RealDiv',
    name: 'a tensor by itself',
    inputs: [divisor([4])],
    build: ([x]) => add(div(x, x), x),
  }),
  gradientCase({ op: 'Neg', inputs: [noisy(5, [2, 3])], build: ([x]) => neg(x), step: 0.1, tolerance: 1e-4 }),
  gradientCase({
    op: 'Sqrt',
    inputs: [
      floats(
        [6],
        ten.map((i) => 0.5 + i),
      ),
    ],
    build: ([x]) => sqrt(x),
  }),
  gradientCase({ op: 'Rsqrt', inputs: [floats([6], (i) => 0.5 + i)], build: ([x]) => rsqrt(x) }),
  gradientCase({
    op: 'Square',
    inputs: [noisy(6, [4, 3], { dynamic: true })],
    build: ([x]) => square(x),
    ...polynomial,
  }),
  gradientCase({
    op: 'L2Loss',
    inputs: [noisy(9, [4, 3], { dynamic: true })],
    build: ([x]) => halfSquares(x),
    ...polynomial,
  }),
  gradientCase({
    op: 'MatMul',
    name: 'the second transposed, with an open first axis',
    inputs: [noisy(7, [3, 4], { dynamic: true }), noisy(8, [2, 4])],
    build: ([x, weight]) => matMul(x, weight, { transposeB: true }),
    ...polynomial,
  }),
  gradientCase({
    op: 'Mean',
    name: 'used twice, inside a product',
    inputs: [noisy(10, [4, 3], { dynamic: true })],
    build: ([x]) => centredSquares(x),
  }),
];

function centredSquares(x: Tensor): Tensor {
  const centred = sub(x, mean(x, [0], true));
  return mean(mul(centred, centred), [0]);
}
