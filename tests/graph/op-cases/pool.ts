import { gradients } from '#src/graph/autodiff.js';
import { cast } from '#src/graph/ops/array.js';
import { mul, sum } from '#src/graph/ops/math.js';
import { avgPool, maxPool, type PoolOptions } from '#src/graph/ops/pool.js';
import { convolve, convolveBackward, ndarray, pool, poolBackward } from '../naive.js';
import { forwardCase, gradientCase } from '../op-case.js';
import { floats, noisy, type Sample, separated } from '../samples.js';

interface Geometry extends PoolOptions {
  name: string;
  shape: readonly number[];
}

const geometries: readonly Geometry[] = [
  { name: '2x2, stride 2', kernel: 2, stride: 2, padding: 'VALID', shape: [2, 4, 4, 2] },
  { name: 'overlapping', kernel: 3, stride: 1, padding: 'VALID', shape: [1, 5, 4, 2] },
  { name: '3x3, stride 2, a row unused', kernel: 3, stride: 2, padding: 'VALID', shape: [1, 6, 5, 1] },
  { name: 'SAME, stride 2', kernel: 3, stride: 2, padding: 'SAME', shape: [2, 4, 5, 1] },
];

const image = ({ shape }: Geometry): Sample => separated(1, shape, { dynamic: shape[0] !== 1 });
/** Each window's mean over the pixels that lie inside the image, and its gradient. */
function naiveAverage({ kernel, stride, padding, shape }: Geometry, x: ArrayLike<number>, dy?: ArrayLike<number>) {
  const [images = 0, height = 0, width = 0, channels = 0] = shape;
  const filter = ndarray(
    [kernel, kernel, 1, channels],
    Array.from({ length: kernel * kernel * channels }, () => 1),
  );
  const window = { stride, padding };
  const counts = convolve(ndarray(shape, new Float64Array(x.length).fill(1)), filter, window);
  const sums = convolve(ndarray(shape, x), filter, window);
  const y = sums.values.map((value, i) => value / (counts.values[i] ?? 0));
  const shares = sums.values.map((_, i) => (dy?.[i] ?? 0) / (counts.values[i] ?? 0));
  const zeros = ndarray([images, height, width, channels]);
  return { shape: sums.shape, y, dx: convolveBackward(zeros, filter, ndarray(sums.shape, shares), window).dx.values };
}

const asArray = ({ shape, data }: Sample) => ndarray(shape, data);

export const forward = [
  forwardCase({
    op: 'MaxPool',
    name: 'by hand',
    inputs: [floats([1, 2, 4, 1], [1, -2, -3, -4, 5, 0, -7, -1])],
    build: ([x]) => maxPool(x, { kernel: 2, stride: 2, padding: 'VALID' }),
    expected: [5, -1],
  }),
  forwardCase({
    op: 'MaxPool',
    name: 'in bfloat16',
    inputs: [floats([1, 2, 2, 1], [1, 2.5, -3, -4])],
    build: ([x]) => maxPool(cast(x, 'bfloat16'), { kernel: 2, stride: 2, padding: 'VALID' }),
    expected: [2.5],
  }),
  forwardCase({
    op: 'AvgPool',
    name: 'by hand',
    inputs: [floats([1, 2, 4, 1], [1, -2, -3, -4, 5, 0, -7, -1])],
    build: ([x]) => avgPool(x, { kernel: 2, stride: 2, padding: 'VALID' }),
    expected: [1, -3.75],
  }),
  forwardCase({
    op: 'AvgPool',
    name: 'by hand, at the edges',
    inputs: [floats([1, 2, 2, 1], [1, 2, 3, 6])],
    build: ([x]) => avgPool(x, { kernel: 3, stride: 1, padding: 'SAME' }),
    expected: [3, 3, 3, 3],
  }),
  ...geometries.flatMap((geometry) => {
    const x = image(geometry);
    const dy = noisy(2, naiveAverage(geometry, x.data).shape, { dynamic: true });
    const { y, dx } = naiveAverage(geometry, x.data, dy.data);
    return [
      forwardCase({
        op: 'AvgPool',
        name: geometry.name,
        inputs: [x],
        build: ([images]) => avgPool(images, geometry),
        expected: [[...y]],
      }),
      forwardCase({
        op: 'AvgPoolGrad',
        name: geometry.name,
        inputs: [x, dy],
        build: ([images, upstream]) => gradients(sum(mul(avgPool(images, geometry), upstream)), [images]),
        expected: [[...dx]],
      }),
    ];
  }),
  ...geometries.flatMap((geometry) => {
    const x = asArray(image(geometry));
    const pooled = pool(x, geometry.kernel, geometry);
    const dy = noisy(2, pooled.shape, { dynamic: true });
    return [
      forwardCase({
        op: 'MaxPool',
        name: geometry.name,
        inputs: [image(geometry)],
        build: ([images]) => maxPool(images, geometry),
        expected: [[...pooled.values]],
      }),
      forwardCase({
        op: 'MaxPoolGrad',
        name: geometry.name,
        inputs: [image(geometry), dy],
        build: ([images, upstream]) => gradients(sum(mul(maxPool(images, geometry), upstream)), [images]),
        expected: [[...poolBackward(x, pooled, asArray(dy)).values]],
      }),
    ];
  }),
];

export const backward = geometries.flatMap((geometry) => [
  gradientCase({
    op: 'MaxPool',
    name: geometry.name,
    inputs: [image(geometry)],
    build: ([x]) => maxPool(x, geometry),
    tolerance: 1e-4,
  }),
  gradientCase({
    op: 'AvgPool',
    name: geometry.name,
    inputs: [image(geometry)],
    build: ([x]) => avgPool(x, geometry),
    step: 0.1,
    tolerance: 1e-4,
  }),
]);
