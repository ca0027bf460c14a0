import assert from 'node:assert/strict';
import { gradients } from '#src/graph/autodiff.js';
import { cast } from '#src/graph/ops/array.js';
import { conv2d } from '#src/graph/ops/conv.js';
import { filterGrad } from '#src/graph/ops/filter-grad.js';
import { mul, sum } from '#src/graph/ops/math.js';
import { assertClose } from '../closeness.js';
import { type ForwardCase, forwardCase, type GradientCase } from '../op-case.js';
import { floats, noisy } from '../samples.js';

interface Geometry {
  name: string;
  /** [N, H, W, C] */
  image: readonly [number, number, number, number];
  /** [height, width, K] */
  filter: readonly [number, number, number];
  stride?: number;
  padding?: 'SAME' | 'VALID';
}

const geometries: readonly Geometry[] = [
  { name: 'one pixel', image: [1, 1, 1, 16], filter: [1, 1, 16] },
  { name: 'products of pixels', image: [3, 14, 14, 40], filter: [1, 1, 24] },
  { name: 'channels of several tasks', image: [4, 12, 12, 600], filter: [1, 1, 700] },
  { name: 'pixels of several tasks', image: [5, 41, 43, 24], filter: [1, 1, 32] },
  { name: '3 x 3 pixels', image: [3, 7, 9, 24], filter: [3, 3, 40], padding: 'SAME' },
  { name: '3 x 3 pixels, not padded', image: [2, 8, 7, 20], filter: [3, 3, 17] },
  { name: '3 x 3 pixels of many channels', image: [2, 13, 13, 160], filter: [3, 3, 200], padding: 'SAME' },
  { name: '3 x 3 pixels of large images', image: [1, 60, 61, 24], filter: [3, 3, 64], padding: 'SAME' },
  { name: 'every second pixel', image: [2, 9, 8, 20], filter: [1, 1, 33], stride: 2 },
  { name: '3 x 3 pixels at stride 2', image: [2, 9, 10, 48], filter: [3, 3, 32], stride: 2, padding: 'SAME' },
  { name: '3 x 3 pixels at stride 2, not padded', image: [2, 9, 8, 48], filter: [3, 3, 32], stride: 2 },
  { name: '5 x 5 pixels at stride 2', image: [5, 29, 28, 9], filter: [5, 5, 9], stride: 2, padding: 'SAME' },
  { name: 'a row of pixels', image: [2, 9, 11, 17], filter: [1, 7, 19], padding: 'SAME' },
  { name: 'a column of pixels', image: [2, 9, 11, 17], filter: [7, 1, 19], padding: 'SAME' },
  { name: 'pixels of few channels', image: [2, 21, 23, 3], filter: [7, 7, 20], stride: 2 },
  { name: 'pixels of few channels, padded', image: [2, 21, 23, 3], filter: [7, 7, 20], stride: 2, padding: 'SAME' },
  { name: 'pixels of few channels, each', image: [2, 12, 11, 3], filter: [3, 3, 7], padding: 'SAME' },
];

function caseOf({
  name,
  image,
  filter: [height, width, outputs],
  stride = 1,
  padding = 'VALID',
}: Geometry): ForwardCase {
  const placed = (length: number, kernel: number) =>
    padding === 'SAME' ? Math.ceil(length / stride) : Math.floor((length - kernel) / stride) + 1;
  const [n, rows, columns, channels] = image;
  const dynamic = n > 1;
  return forwardCase({
    op: 'DeepCnnFilterGrad',
    name,
    inputs: [
      noisy(1, image, { dynamic }),
      noisy(2, [height, width, channels, outputs]),
      noisy(3, [n, placed(rows, height), placed(columns, width), outputs], { dynamic }),
    ],
    build: ([x, w, dy]) => {
      const narrow = [cast(x, 'bfloat16'), cast(dy, 'bfloat16')] as const;
      const [rounded, upstream] = [cast(narrow[0], 'float32'), cast(narrow[1], 'float32')];
      const [expected] = gradients(sum(mul(conv2d(rounded, w, { stride, padding }), upstream)), [w]);
      return expected ? [filterGrad(...narrow, { stride, like: w }), expected] : [];
    },
    expected: ([found = [], expected = []]) => {
      assert.ok(expected.some((value) => value !== 0));
      assertClose(found, expected, 2e-6);
    },
  });
}

export const forward: ForwardCase[] = [
  forwardCase({
    op: 'DeepCnnFilterGrad',
    name: 'by hand',
    // One image of 2 x 2 pixels of one channel, and a window of 3 x 3 pixels around each.
    inputs: [floats([1, 2, 2, 1], [1, 2, 3, 4]), floats([1, 2, 2, 1], [1, 0, 0, 10]), floats([3, 3, 1, 1], () => 0)],
    build: ([x, dy, w]) => filterGrad(cast(x, 'bfloat16'), cast(dy, 'bfloat16'), { stride: 1, like: w }),
    expected: [10, 20, 0, 30, 41, 2, 0, 3, 4],
  }),
  ...geometries.map(caseOf),
];

export const backward: GradientCase[] = [];
