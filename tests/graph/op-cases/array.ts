import assert from 'node:assert/strict';
import {
  broadcastTo,
  bytesOf,
  cast,
  concat,
  floatsOf,
  pad,
  reshape,
  reshapeTo,
  reverse,
  shapeOf,
  size,
  slice,
  split,
  splitSizes,
  transpose,
} from '#src/graph/ops/array.js';
import { mul } from '#src/graph/ops/math.js';
import { floatConstant, intConstant } from '#src/graph/ops/source.js';
import { forwardCase, gradientCase } from '../op-case.js';
import { floats, ints, noisy } from '../samples.js';

const sixValues = [1, 2, 3, 4, 5, 6];
const linearCase = { step: 0.1, tolerance: 1e-4 };

export const forward = [
  forwardCase({
    op: 'ReverseV2',
    inputs: [floats([2, 3], sixValues, { dynamic: true })],
    build: ([x]) => [reverse(x, [0]), reverse(x, [0, 1])],
    expected: [
      [4, 5, 6, 1, 2, 3],
      [6, 5, 4, 3, 2, 1],
    ],
  }),
  forwardCase({
    op: 'Shape',
    inputs: [floats([2, 3], sixValues, { dynamic: true })],
    build: ([x]) => shapeOf(x),
    expected: [2, 3],
  }),
  forwardCase({
    op: 'Size',
    inputs: [floats([2, 3], sixValues, { dynamic: true })],
    build: ([x]) => size(x),
    expected: [6],
  }),
  forwardCase({
    op: 'Reshape',
    inputs: [floats([2, 3], sixValues, { dynamic: true })],
    build: ([x]) => [reshape(x, [null, 2]), reshapeTo(x, intConstant(x.graph, [1, 6]), [1, 6])],
    expected: [sixValues, sixValues],
  }),
  forwardCase({
    op: 'BroadcastTo',
    inputs: [floats([2, 1], [1, 2])],
    build: ([x]) => broadcastTo(x, intConstant(x.graph, [2, 2, 3]), [2, 2, 3]),
    expected: [1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2],
  }),
  forwardCase({
    op: 'Cast',
    name: 'to integers, towards zero',
    inputs: [floats([4], [1.9, -1.9, 0, 200])],
    build: ([x]) => cast(x, 'int32'),
    expected: [1, -1, 0, 200],
  }),
  forwardCase({
    op: 'Cast',
    name: 'to bfloat16, 8 significant bits, ties to even',
    inputs: [floats([4], [1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -7, -Math.PI])],
    build: ([x]) => cast(x, 'bfloat16'),
    expected: [1, 1 + 2 ** -6, 1 + 2 ** -7, -3.140625],
  }),
  forwardCase({
    op: 'Cast',
    name: 'arithmetic in bfloat16 rounds',
    inputs: [floats([2], [1.5, 257])],
    build: ([x]) => mul(cast(x, 'bfloat16'), cast(floatConstant(x.graph, 1 + 2 ** -7), 'bfloat16')),
    // 1.51171875 is halfway and goes to even; 257 becomes 256 at once.
    expected: [1.515625, 258],
  }),
  forwardCase({
    op: 'Bitcast',
    inputs: [ints([2], [0x04030201, -1])],
    build: ([x]) => cast(bytesOf(x), 'int32'),
    expected: [1, 2, 3, 4, 255, 255, 255, 255],
  }),
  forwardCase({
    op: 'Bitcast',
    name: 'to floats',
    inputs: [ints([2], [0x3f800000, -0x3fe00000])],
    build: ([x]) => floatsOf(x),
    expected: [1, -2.5],
  }),
  forwardCase({
    op: 'Transpose',
    inputs: [floats([1, 2, 3], sixValues, { dynamic: true })],
    build: ([x]) => [transpose(x, [0, 2, 1]), transpose(x, [2, 0, 1])],
    expected: [
      [1, 4, 2, 5, 3, 6],
      [1, 4, 2, 5, 3, 6],
    ],
  }),
  forwardCase({
    op: 'Transpose',
    name: 'a filter from PyTorch’s axes to TensorFlow’s',
    inputs: [floats([2, 1, 1, 3], sixValues)],
    build: ([x]) => transpose(x, [2, 3, 1, 0]),
    expected: [1, 4, 2, 5, 3, 6],
  }),
  forwardCase({
    op: 'PadV2',
    inputs: [floats([2, 2], [1, 2, 3, 4])],
    build: ([x]) => [
      pad(x, [
        [1, 0],
        [0, 2],
      ]),
      pad(
        x,
        [
          [0, 0],
          [1, 0],
        ],
        floatConstant(x.graph, -9),
      ),
    ],
    expected: [
      [0, 0, 0, 0, 1, 2, 0, 0, 3, 4, 0, 0],
      [-9, 1, 2, -9, 3, 4],
    ],
  }),
  forwardCase({
    op: 'Slice',
    inputs: [floats([2, 3], sixValues)],
    build: ([x]) => slice(x, intConstant(x.graph, [0, 1]), intConstant(x.graph, [2, 2]), [2, 2]),
    expected: [2, 3, 5, 6],
  }),
  forwardCase({
    op: 'ConcatV2',
    inputs: [floats([2, 1], [1, 2], { dynamic: true }), floats([2, 2], [3, 4, 5, 6], { dynamic: true })],
    build: ([a, b]) => [concat([a, b], 1), concat([b, a, b], 1)],
    expected: [
      [1, 3, 4, 2, 5, 6],
      [3, 4, 1, 3, 4, 5, 6, 2, 5, 6],
    ],
  }),
  forwardCase({
    op: 'Split',
    inputs: [floats([2, 4], [1, 2, 3, 4, 5, 6, 7, 8], { dynamic: true })],
    build: ([x]) => split(x, 2, 1),
    expected: [
      [1, 2, 5, 6],
      [3, 4, 7, 8],
    ],
  }),
  forwardCase({
    op: 'SplitV',
    inputs: [floats([2, 4], [1, 2, 3, 4, 5, 6, 7, 8], { dynamic: true })],
    build: ([x]) => splitSizes(x, [3, 1], 1),
    expected: [
      [1, 2, 3, 5, 6, 7],
      [4, 8],
    ],
  }),
];

export const backward = [
  gradientCase({ op: 'ReverseV2', inputs: [noisy(5, [3, 2])], build: ([x]) => reverse(x, [0]), ...linearCase }),
  gradientCase({
    op: 'ConcatV2',
    name: 'with an open axis',
    inputs: [noisy(6, [2, 3, 2], { dynamic: true }), noisy(7, [2, 3, 1], { dynamic: true })],
    build: ([a, b]) => concat([a, b, a], 2),
    ...linearCase,
  }),
  gradientCase({
    op: 'Split',
    name: 'all parts used',
    inputs: [noisy(8, [2, 6], { dynamic: true })],
    build: ([x]) => split(x, 3, 1).reduce((product, part) => mul(product, part)),
  }),
  gradientCase({
    op: 'Split',
    name: 'one part unused',
    inputs: [noisy(9, [2, 4], { dynamic: true })],
    build: ([x]) => concat(split(x, 2, 1).slice(1), 1),
    ...linearCase,
  }),
  gradientCase({
    op: 'SplitV',
    name: 'all parts used',
    inputs: [noisy(10, [2, 5], { dynamic: true })],
    build: ([x]) => {
      const [a, b] = splitSizes(x, [1, 4], 1);
      assert.ok(a && b);
      return mul(a, b);
    },
  }),
  gradientCase({
    op: 'SplitV',
    name: 'one part unused',
    inputs: [noisy(11, [2, 5], { dynamic: true })],
    build: ([x]) => concat(splitSizes(x, [2, 3], 1).slice(1), 1),
    ...linearCase,
  }),
  gradientCase({
    op: 'Reshape',
    name: 'with an open axis',
    inputs: [noisy(1, [3, 4], { dynamic: true })],
    build: ([x]) => reshape(x, [null, 2]),
    ...linearCase,
  }),
  gradientCase({
    op: 'BroadcastTo',
    name: 'missing and size-1 axes',
    inputs: [noisy(2, [3, 1])],
    build: ([x]) => broadcastTo(x, intConstant(x.graph, [2, 3, 4]), [2, 3, 4]),
    ...linearCase,
  }),
  gradientCase({
    op: 'BroadcastTo',
    name: 'a scalar',
    inputs: [noisy(2, [])],
    build: ([x]) => broadcastTo(x, intConstant(x.graph, [2, 2]), [2, 2]),
    ...linearCase,
  }),
  gradientCase({
    op: 'Cast',
    name: 'to bfloat16 and back',
    inputs: [floats([6], [1, -2, 3, -4, 5, 6])],
    build: ([x]) => cast(cast(x, 'bfloat16'), 'float32'),
    // Exact values, so that rounding touches only the gradient that passes through.
    step: 0.5,
    tolerance: 2 ** -8,
  }),
  gradientCase({
    op: 'Transpose',
    inputs: [noisy(3, [2, 3, 4], { dynamic: true })],
    build: ([x]) => transpose(x, [1, 2, 0]),
    ...linearCase,
  }),
  gradientCase({
    op: 'PadV2',
    name: 'unequal paddings and an open axis',
    inputs: [noisy(4, [2, 3, 2], { dynamic: true })],
    build: ([x]) =>
      pad(x, [
        [0, 0],
        [1, 2],
        [0, 3],
      ]),
    ...linearCase,
  }),
  gradientCase({
    op: 'Slice',
    inputs: [noisy(5, [3, 4])],
    build: ([x]) =>
      slice(
        x,
        intConstant(x.graph, [1, 0]),
        intConstant(x.graph, [2, 3]),
        [2, 3],
        [
          [1, 0],
          [0, 1],
        ],
      ),
    ...linearCase,
  }),
];
