import { gradients } from '#src/graph/autodiff.js';
import { type DepthwiseOptions, depthwiseConv2d } from '#src/graph/ops/depthwise.js';
import { mul, sum } from '#src/graph/ops/math.js';
import { convolve, convolveBackward, type NdArray, ndarray } from '../naive.js';
import { type ForwardCase, forwardCase, type GradientCase, gradientCase } from '../op-case.js';
import { floats, noisy, type Sample } from '../samples.js';

interface Geometry extends DepthwiseOptions {
  name: string;
  image: readonly number[];
  filter: readonly [height: number, width: number, channels: number, multiplier: number];
}

const plain = { stride: 1, padding: 'VALID' } as const;

const geometries: readonly Geometry[] = [
  { ...plain, name: '3x3', image: [1, 4, 5, 2], filter: [3, 3, 2, 1] },
  { ...plain, name: '3x3 SAME', padding: 'SAME', image: [2, 4, 3, 3], filter: [3, 3, 3, 1] },
  { ...plain, name: '3x3 SAME, stride 2', padding: 'SAME', stride: 2, image: [2, 6, 6, 2], filter: [3, 3, 2, 1] },
  { ...plain, name: '5x5, stride 2, a row unused', stride: 2, image: [1, 8, 7, 2], filter: [5, 5, 2, 1] },
  { ...plain, name: 'multiplier 2', image: [1, 4, 4, 3], filter: [3, 3, 3, 2] },
  { ...plain, name: '2x3 filter SAME', padding: 'SAME', image: [1, 4, 4, 2], filter: [2, 3, 2, 1] },
];

const image = ({ image: shape }: Geometry): Sample => noisy(1, shape, { dynamic: shape[0] !== 1 });
const filter = ({ filter: shape }: Geometry): Sample => noisy(2, shape);
const asArray = ({ shape, data }: Sample) => ndarray(shape, data);

/** [h, w, C, m] as the filter [h, w, 1, C m] of a convolution in C groups: the same numbers in the same order. */
function asGrouped({ shape: [height = 0, width = 0, channels = 0, multiplier = 0], data }: Sample): NdArray {
  return ndarray([height, width, 1, channels * multiplier], data);
}

export const forward: ForwardCase[] = [
  forwardCase({
    op: 'DepthwiseConv2dNative',
    name: 'by hand',
    inputs: [floats([1, 1, 2, 2], [1, 10, 2, 20]), floats([1, 2, 2, 1], [1, 2, 3, -1])],
    build: ([x, w]) => depthwiseConv2d(x, w),
    // 1 x 1 + 2 x 3, 10 x 2 - 20 x 1
    expected: [7, 0],
  }),
  ...geometries.flatMap((geometry) => {
    const [x, w] = [image(geometry), filter(geometry)];
    const y = convolve(asArray(x), asGrouped(w), geometry);
    const dy = noisy(3, y.shape, { dynamic: true });
    const { dx, dfilter } = convolveBackward(asArray(x), asGrouped(w), asArray(dy), geometry);
    const inputs = [x, w, dy] as const;
    return [
      forwardCase({
        op: 'DepthwiseConv2dNative',
        name: geometry.name,
        inputs: [x, w],
        build: ([images, weights]) => depthwiseConv2d(images, weights, geometry),
        expected: [[...y.values]],
      }),
      forwardCase({
        op: 'DepthwiseConv2dNativeBackpropInput',
        name: geometry.name,
        inputs,
        build: ([images, weights, upstream]) =>
          gradients(sum(mul(depthwiseConv2d(images, weights, geometry), upstream)), [images]),
        expected: [[...dx.values]],
        tolerance: 2e-6,
      }),
      forwardCase({
        op: 'DepthwiseConv2dNativeBackpropFilter',
        name: geometry.name,
        inputs,
        build: ([images, weights, upstream]) =>
          gradients(sum(mul(depthwiseConv2d(images, weights, geometry), upstream)), [weights]),
        expected: [[...dfilter.values]],
        tolerance: 2e-6,
      }),
    ];
  }),
];

export const backward: GradientCase[] = geometries.map((geometry) =>
  gradientCase({
    op: 'DepthwiseConv2dNative',
    name: geometry.name,
    inputs: [image(geometry), filter(geometry)],
    build: ([x, w]) => depthwiseConv2d(x, w, geometry),
    step: 0.1,
    tolerance: 1e-4,
  }),
);
