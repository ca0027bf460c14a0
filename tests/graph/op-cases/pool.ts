import { gradients } from '#src/graph/autodiff.js';
import { cast } from '#src/graph/ops/array.js';
import { mul, sum } from '#src/graph/ops/math.js';
import { maxPool, type PoolOptions } from '#src/graph/ops/pool.js';
import { ndarray, pool, poolBackward } from '../naive.js';
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

export const backward = geometries.map((geometry) =>
  gradientCase({
    op: 'MaxPool',
    name: geometry.name,
    inputs: [image(geometry)],
    build: ([x]) => maxPool(x, geometry),
    tolerance: 1e-4,
  }),
);
