import { gradients } from '#src/graph/autodiff.js';
import type { Tensor } from '#src/graph/graph.js';
import { cast, pad, slice, transpose } from '#src/graph/ops/array.js';
import { conv2d } from '#src/graph/ops/conv.js';
import { filterGrad } from '#src/graph/ops/filter-grad.js';
import { fusedBatchNorm } from '#src/graph/ops/fused-norm.js';
import { mul, sum } from '#src/graph/ops/math.js';
import type { activationCodes } from '#src/graph/ops/remade.js';
import { intConstant } from '#src/graph/ops/source.js';
import { knownDimension } from '#src/graph/types.js';
import { type ForwardCase, forwardCase, type GradientCase } from '../op-case.js';
import { floats, noisy } from '../samples.js';
import { expectAlike } from './differences.js';

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
  { name: 'one output', image: [2, 5, 7, 12], filter: [1, 1, 1] },
  { name: 'a vector of outputs', image: [3, 5, 7, 12], filter: [1, 1, 8] },
  { name: 'outputs that fill no panel', image: [2, 9, 11, 33], filter: [1, 1, 58] },
  { name: 'windows wider than the images', image: [2, 3, 2, 6], filter: [7, 7, 10], padding: 'SAME' },
  { name: '5 x 5 pixels at stride 2', image: [5, 29, 28, 9], filter: [5, 5, 9], stride: 2, padding: 'SAME' },
  { name: 'a row of pixels', image: [2, 9, 11, 17], filter: [1, 7, 19], padding: 'SAME' },
  { name: 'a column of pixels', image: [2, 9, 11, 17], filter: [7, 1, 19], padding: 'SAME' },
  { name: 'pixels of few channels', image: [2, 21, 23, 3], filter: [7, 7, 20], stride: 2 },
  { name: 'pixels of few channels, padded', image: [2, 21, 23, 3], filter: [7, 7, 20], stride: 2, padding: 'SAME' },
  { name: 'pixels of few channels, each', image: [2, 12, 11, 3], filter: [3, 3, 7], padding: 'SAME' },
];

type Kind = 'bfloat16' | 'float32';
const opOf = { bfloat16: 'DeepCnnFilterGrad', float32: 'DeepCnnFloatFilterGrad' } as const;

function caseOf(kind: Kind, geometry: Geometry): ForwardCase {
  const {
    name,
    image,
    filter: [height, width, outputs],
    stride = 1,
    padding = 'VALID',
  } = geometry;
  const placed = (length: number, kernel: number) =>
    padding === 'SAME' ? Math.ceil(length / stride) : Math.floor((length - kernel) / stride) + 1;
  const [n, rows, columns, channels] = image;
  const dynamic = kind === 'bfloat16' && n > 1;
  return forwardCase({
    op: opOf[kind],
    name,
    inputs: [
      noisy(1, image, { dynamic }),
      noisy(2, [height, width, channels, outputs]),
      noisy(3, [n, placed(rows, height), placed(columns, width), outputs], { dynamic }),
    ],
    build: ([x, w, dy]) => {
      const given = [cast(x, kind), cast(dy, kind)] as const;
      const found = filterGrad(...given, { stride, like: w });
      if (kind === 'float32') return [found, correlation(x, dy, { stride, padding, like: w })];
      const [rounded, upstream] = [cast(given[0], 'float32'), cast(given[1], 'float32')];
      const [expected] = gradients(sum(mul(conv2d(rounded, w, { stride, padding }), upstream)), [w]);
      return expected ? [found, expected] : [];
    },
    // A correlation adds up all pixels in one row.
    expected: expectAlike(kind === 'float32' ? 1e-5 : 2e-6),
  });
}

interface Correlation {
  stride: number;
  padding: 'SAME' | 'VALID';
  like: Tensor;
}

/** The same by another way: x convolved with dy as its filter, images in the place of channels, strides as dilation. */
function correlation(x: Tensor, dy: Tensor, { stride, padding, like }: Correlation): Tensor {
  const missing = [1, 2].map((axis) => {
    const reach = (knownDimension(dy.shape, axis) - 1) * stride + knownDimension(like.shape, axis - 1);
    return padding === 'SAME' ? Math.max(reach - knownDimension(x.shape, axis), 0) : 0;
  });
  const around = missing.map((zeros) => [Math.floor(zeros / 2), Math.ceil(zeros / 2)] as const);
  const [rows = [0, 0], columns = [0, 0]] = around;
  const images = transpose(pad(x, [[0, 0], rows, columns, [0, 0]]), [3, 1, 2, 0]);
  const sums = transpose(conv2d(images, transpose(dy, [1, 2, 0, 3]), { dilation: stride }), [1, 2, 0, 3]);
  // Pixels that no window reaches make more places than the filter has.
  const sizes = like.shape.map((length) => length ?? 0);
  return slice(sums, intConstant(x.graph, [0, 0, 0, 0]), intConstant(x.graph, sizes), like.shape);
}

/** Behind a batch norm, whose result is made on the way. */
const behindNorm = (activation: keyof typeof activationCodes, channels: number): ForwardCase =>
  forwardCase({
    op: opOf.float32,
    name: `${channels} channels behind a batch norm with ${activation}`,
    inputs: [
      noisy(1, [2, 9, 17, channels]),
      noisy(2, [1, 1, channels, 48]),
      noisy(3, [2, 9, 17, 48]),
      floats([channels], (index) => 0.5 + (index % 7) / 7),
    ],
    build: ([x, w, dy, each]) => {
      const norm = { x, scale: each, offset: each, runningMean: each, runningVariance: each };
      const { y } = fusedBatchNorm(norm, { epsilon: 1e-3, momentum: 0.1, activation, pool: false });
      return [filterGrad(y, dy, { stride: 1, like: w }), correlation(y, dy, { stride: 1, padding: 'VALID', like: w })];
    },
    expected: expectAlike(1e-5),
  });

const byHand = (kind: Kind): ForwardCase =>
  forwardCase({
    op: opOf[kind],
    name: 'by hand',
    // One image of 2 x 2 pixels of one channel, and a window of 3 x 3 pixels around each.
    inputs: [floats([1, 2, 2, 1], [1, 2, 3, 4]), floats([1, 2, 2, 1], [1, 0, 0, 10]), floats([3, 3, 1, 1], () => 0)],
    build: ([x, dy, w]) => filterGrad(cast(x, kind), cast(dy, kind), { stride: 1, like: w }),
    expected: [10, 20, 0, 30, 41, 2, 0, 3, 4],
  });

export const forward: ForwardCase[] = [
  ...(['bfloat16', 'float32'] as const).flatMap((kind) => [
    byHand(kind),
    ...geometries.map((geometry) => caseOf(kind, geometry)),
  ]),
  ...(['none', 'relu', 'relu6', 'silu', 'hardSwish'] as const).flatMap((activation) =>
    [44, 250].map((channels) => behindNorm(activation, channels)),
  ),
];

export const backward: GradientCase[] = [];
