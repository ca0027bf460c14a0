import { gradients } from '#src/graph/autodiff.js';
import { cast, pad } from '#src/graph/ops/array.js';
import { depthwiseConv2d } from '#src/graph/ops/depthwise.js';
import { type FusedDepthwiseOptions, fusedDepthwiseConv2d } from '#src/graph/ops/fused-depthwise.js';
import { mul, sub, sum } from '#src/graph/ops/math.js';
import { type ForwardCase, forwardCase, type GradientCase, gradientCase } from '../op-case.js';
import { floats, noisy, type Sample } from '../samples.js';
import { expectZeros } from './differences.js';

interface Geometry extends FusedDepthwiseOptions {
  name: string;
  image: readonly number[];
  kernel: number;
}

const same = (kernel: number) => {
  const side = (kernel - 1) / 2;
  return [side, side, side, side] as const;
};

/** 16 channels are one vector, 20 two that overlap; 13 columns are whole tiles and what is left. */
const geometries: readonly Geometry[] = [
  { name: '3x3', stride: 1, kernel: 3, image: [2, 5, 13, 16], padding: same(3) },
  { name: '3x3, vectors that overlap', stride: 1, kernel: 3, image: [1, 3, 9, 20], padding: same(3) },
  { name: '5x5', stride: 1, kernel: 5, image: [1, 6, 16, 16], padding: same(5) },
  { name: '7x7', stride: 1, kernel: 7, image: [1, 7, 15, 16], padding: same(7) },
  { name: '3x3 without zeros', stride: 1, kernel: 3, image: [1, 4, 11, 16], padding: [0, 0, 0, 0] },
  { name: '3x3, stride 2', stride: 2, kernel: 3, image: [2, 6, 18, 16], padding: same(3) },
  { name: '3x3, stride 2, odd lengths', stride: 2, kernel: 3, image: [1, 7, 21, 16], padding: same(3) },
  { name: '3x3, stride 2, zeros after', stride: 2, kernel: 3, image: [1, 6, 16, 16], padding: [0, 1, 0, 1] },
  {
    name: '3x3, stride 2, a row and columns unused',
    stride: 2,
    kernel: 3,
    image: [1, 6, 16, 16],
    padding: [0, 0, 0, 0],
  },
  { name: '5x5, stride 2', stride: 2, kernel: 5, image: [1, 8, 22, 20], padding: same(5) },
  { name: '5x5 on fewer pixels', stride: 1, kernel: 5, image: [1, 2, 2, 16], padding: same(5) },
];

const image = ({ image: shape }: Geometry): Sample => noisy(1, shape, { dynamic: shape[0] !== 1 });
const filter = ({ kernel, image: shape }: Geometry): Sample => noisy(2, [kernel, kernel, shape[3] ?? 0, 1]);

/** [N, H', W', C], whose values differ. */
function upstream({ image: shape, kernel, stride, padding: [top, bottom, left, right] }: Geometry): Sample {
  const [n = 0, height = 0, width = 0, channels = 0] = shape;
  const length = (size: number) => Math.floor((size - kernel) / stride) + 1;
  return noisy(3, [n, length(height + top + bottom), length(width + left + right), channels], { dynamic: n !== 1 });
}

/** TensorFlow's own ops for the same. */
const composed = (geometry: Geometry) => (x: Parameters<typeof pad>[0], w: Parameters<typeof pad>[0]) => {
  const [top, bottom, left, right] = geometry.padding;
  const padded = pad(x, [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ]);
  return depthwiseConv2d(padded, w, { stride: geometry.stride, padding: 'VALID' });
};

export const forward: ForwardCase[] = [
  forwardCase({
    op: 'DeepCnnDepthwise',
    name: 'by hand',
    // Ones in channel 0, twos in channel 1 and so on; the filter adds up nine pixels.
    inputs: [floats([1, 2, 2, 16], (i) => (i % 16) + 1), floats([3, 3, 16, 1], () => 1)],
    build: ([x, w]) => fusedDepthwiseConv2d(x, w, { stride: 2, padding: [1, 1, 1, 1] }),
    // All four pixels lie under the only window.
    expected: Array.from({ length: 16 }, (_, c) => 4 * (c + 1)),
  }),
  forwardCase({
    op: 'DeepCnnDepthwise',
    name: 'in bfloat16, sums in float32',
    // 256 + 1 has no place in bfloat16, but 256 + 4 has, which comes from 256 + 1 + 1 + 1 + 1.
    inputs: [floats([1, 3, 3, 16], (i) => (i < 16 ? 256 : i < 5 * 16 ? 1 : 0)), floats([3, 3, 16, 1], () => 1)],
    build: ([x, w]) => fusedDepthwiseConv2d(cast(x, 'bfloat16'), w, { stride: 1, padding: [0, 0, 0, 0] }),
    expected: Array.from({ length: 16 }, () => 260),
  }),
  ...geometries.flatMap((geometry) => [
    forwardCase({
      op: 'DeepCnnDepthwise',
      name: `${geometry.name} as TensorFlow's`,
      inputs: [image(geometry), filter(geometry)],
      build: ([x, w]) => sub(fusedDepthwiseConv2d(x, w, geometry), composed(geometry)(x, w)),
      expected: expectZeros(5e-6),
    }),
    forwardCase({
      op: 'DeepCnnDepthwiseGrad',
      name: `${geometry.name} as TensorFlow's`,
      inputs: [image(geometry), filter(geometry), upstream(geometry)],
      build: ([x, w, dy]) => {
        const found = gradients(sum(mul(fusedDepthwiseConv2d(x, w, geometry), dy)), [x, w]);
        const expected = gradients(sum(mul(composed(geometry)(x, w), dy)), [x, w]);
        return found.map((gradient, index) => sub(gradient, expected[index] ?? gradient));
      },
      expected: expectZeros(2e-5),
    }),
    forwardCase({
      op: 'DeepCnnDepthwiseGrad',
      name: `${geometry.name} in bfloat16`,
      inputs: [image(geometry), filter(geometry), upstream(geometry)],
      build: ([x, w, dy]) => {
        const narrow = fusedDepthwiseConv2d(cast(x, 'bfloat16'), w, geometry);
        const found = gradients(sum(mul(cast(narrow, 'float32'), dy)), [x, w]);
        const expected = gradients(sum(mul(composed(geometry)(x, w), dy)), [x, w]);
        return found.map((gradient, index) => sub(gradient, expected[index] ?? gradient));
      },
      expected: expectZeros(0.1),
    }),
  ]),
];

export const backward: GradientCase[] = [geometries[1], geometries[7], geometries[10]].flatMap((geometry) =>
  geometry
    ? [
        gradientCase({
          op: 'DeepCnnDepthwise',
          name: geometry.name,
          inputs: [image(geometry), filter(geometry)],
          build: ([x, w]) => fusedDepthwiseConv2d(x, w, geometry),
          step: 0.1,
          tolerance: 1e-4,
        }),
      ]
    : [],
);
