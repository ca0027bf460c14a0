import { gradients } from '#src/graph/autodiff.js';
import type { Tensor } from '#src/graph/graph.js';
import { cast } from '#src/graph/ops/array.js';
import { conv2d } from '#src/graph/ops/conv.js';
import { mul, sum } from '#src/graph/ops/math.js';
import { winogradConv2d } from '#src/graph/ops/winograd.js';
import { type ForwardCase, forwardCase, type GradientCase, gradientCase } from '../op-case.js';
import { floats, noisy, type Sample } from '../samples.js';
import { expectAlike } from './differences.js';

interface Geometry {
  name: string;
  /** [N, H, W, C] */
  image: readonly [number, number, number, number];
  outputs: number;
}

const geometries: readonly Geometry[] = [
  { name: 'whole tiles', image: [2, 8, 12, 16], outputs: 16 },
  { name: 'tiles over the edges', image: [2, 7, 9, 32], outputs: 16 },
  { name: 'one row', image: [1, 1, 13, 16], outputs: 32 },
  { name: 'fewer pixels than a tile', image: [3, 2, 3, 16], outputs: 16 },
  { name: 'panels of columns with one left over', image: [1, 6, 5, 48], outputs: 80 },
  { name: 'filters too large for a cache', image: [2, 9, 6, 144], outputs: 144 },
  { name: 'more depth than is multiplied at a time', image: [1, 5, 5, 272], outputs: 64 },
  { name: 'more tiles than are transformed at a time', image: [3, 57, 55, 224], outputs: 112 },
  { name: 'more outputs than are computed at a time', image: [1, 5, 6, 512], outputs: 208 },
  { name: 'more outputs and more tiles', image: [2, 40, 38, 512], outputs: 208 },
];

const image = ({ image: shape }: Geometry): Sample => noisy(1, shape, { dynamic: shape[0] !== 1 });
const filter = ({ image: [, , , channels], outputs }: Geometry): Sample => noisy(2, [3, 3, channels, outputs]);
const upstream = ({ image: [n, height, width], outputs }: Geometry): Sample =>
  noisy(3, [n, height, width, outputs], { dynamic: n !== 1 });

const composed = (x: Tensor, w: Tensor) => conv2d(x, w, { padding: 'SAME' });

function casesOf(geometry: Geometry): ForwardCase[] {
  const { name } = geometry;
  /** The gradients at the images or at the filter, and TensorFlow's for the same. */
  const gradientsOf = (op: string, index: 0 | 1, dtype: 'float32' | 'bfloat16', tolerance: number) =>
    forwardCase({
      op,
      name: `${name}${dtype === 'float32' ? ' as TensorFlow' : ' in bfloat16'}`,
      inputs: [image(geometry), filter(geometry), upstream(geometry)],
      build: ([x, w, dy]) => {
        const y = cast(winogradConv2d(cast(x, dtype), w), 'float32');
        const [found] = gradients(sum(mul(y, dy)), [index === 0 ? x : w]);
        const [expected] = gradients(sum(mul(composed(x, w), dy)), [index === 0 ? x : w]);
        return found && expected ? [found, expected] : [];
      },
      expected: expectAlike(tolerance),
    });
  const forwardIn = (dtype: 'float32' | 'bfloat16', tolerance: number) =>
    forwardCase({
      op: 'DeepCnnWinograd',
      name: `${name}${dtype === 'float32' ? ' as TensorFlow' : ' in bfloat16'}`,
      inputs: [image(geometry), filter(geometry)],
      build: ([x, w]) => [cast(winogradConv2d(cast(x, dtype), w), 'float32'), composed(x, w)],
      expected: expectAlike(tolerance),
    });
  return (
    [
      ['float32', 5e-6],
      ['bfloat16', 0.01],
    ] as const
  ).flatMap(([dtype, tolerance]) => [
    forwardIn(dtype, tolerance),
    gradientsOf('DeepCnnWinogradInputGrad', 0, dtype, tolerance),
    gradientsOf('DeepCnnWinogradFilterGrad', 1, dtype, tolerance),
  ]);
}

export const forward: ForwardCase[] = [
  forwardCase({
    op: 'DeepCnnWinograd',
    name: 'by hand',
    // One channel of ones, the others zeros; the filter adds up the pixels that lie under it.
    inputs: [floats([1, 3, 3, 16], (i) => (i % 16 === 5 ? 1 : 0)), floats([3, 3, 16, 16], (i) => (i % 16) + 1)],
    build: ([x, w]) => winogradConv2d(x, w),
    expected: [4, 6, 4, 6, 9, 6, 4, 6, 4].flatMap((pixels) => Array.from({ length: 16 }, (_, k) => pixels * (k + 1))),
  }),
  ...geometries.flatMap(casesOf),
];

const few: readonly Geometry[] = [
  { name: 'two tiles', image: [1, 4, 5, 16], outputs: 16 },
  { name: 'fewer pixels than a tile', image: [2, 2, 3, 16], outputs: 32 },
];

export const backward: GradientCase[] = few.map((geometry) =>
  gradientCase({
    op: 'DeepCnnWinograd',
    name: geometry.name,
    inputs: [image(geometry), filter(geometry)],
    build: ([x, w]) => winogradConv2d(x, w),
    step: 0.1,
    tolerance: 1e-3,
  }),
);
