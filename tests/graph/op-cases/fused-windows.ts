// Cases that depthwise and grouped convolutions have in common: each must be as TensorFlow's, forward and backward.

import { gradients } from '#src/graph/autodiff.js';
import type { Tensor } from '#src/graph/graph.js';
import { cast, pad } from '#src/graph/ops/array.js';
import type { FusedWindowsOptions } from '#src/graph/ops/fused-windows.js';
import { mul, sum } from '#src/graph/ops/math.js';
import { type ForwardCase, forwardCase, type GradientCase, gradientCase } from '../op-case.js';
import { noisy, type Sample } from '../samples.js';
import { expectAlike } from './differences.js';

export interface Geometry extends FusedWindowsOptions {
  name: string;
  /** [N, H, W, C] */
  image: readonly [number, number, number, number];
  /** [height, width, of the channels, for each of them] */
  filter: readonly [number, number, number, number];
}

interface Windows {
  op: string;
  fused: (x: Tensor, filter: Tensor, options: FusedWindowsOptions) => Tensor;
  /** TensorFlow's, without zeros at the edges. */
  composed: (padded: Tensor, filter: Tensor, stride: number) => Tensor;
}

/** So many zeros on each side that a window of `kernel` pixels is around each pixel. */
export const around = (kernel: number) => {
  const side = (kernel - 1) / 2;
  return [side, side, side, side] as const;
};

const image = ({ image: shape }: Geometry): Sample => noisy(1, shape, { dynamic: shape[0] !== 1 });
const filter = ({ filter: shape }: Geometry): Sample => noisy(2, shape);

/** [N, H', W', C], whose values differ. */
function upstream({ image: shape, filter: window, stride, padding: [top, bottom, left, right] }: Geometry): Sample {
  const [n, height, width, channels] = shape;
  const length = (size: number, kernel: number) => Math.floor((size - kernel) / stride) + 1;
  const [rows, columns] = [length(height + top + bottom, window[0]), length(width + left + right, window[1])];
  return noisy(3, [n, rows, columns, channels], { dynamic: n !== 1 });
}

const composedWith = ({ composed }: Windows, { stride, padding: [top, bottom, left, right] }: Geometry) =>
  function convolve(x: Tensor, w: Tensor): Tensor {
    const rows = [top, bottom] as const;
    return composed(pad(x, [[0, 0], rows, [left, right], [0, 0]]), w, stride);
  };

/** In float32, or in bfloat16 with room for its errors. */
export function windowsCases(windows: Windows, geometry: Geometry, dtype: 'float32' | 'bfloat16'): ForwardCase[] {
  const { op, fused } = windows;
  const convolve = composedWith(windows, geometry);
  const name = `${geometry.name}${dtype === 'float32' ? " as TensorFlow's" : ' in bfloat16'}`;
  const expected = expectAlike(dtype === 'float32' ? 2e-6 : 0.02);
  const ours = (x: Tensor, w: Tensor) => cast(fused(cast(x, dtype), w, geometry), 'float32');
  return [
    forwardCase({
      op,
      name,
      inputs: [image(geometry), filter(geometry)],
      build: ([x, w]) => [ours(x, w), convolve(x, w)],
      expected,
    }),
    forwardCase({
      op: `${op}Grad`,
      name,
      inputs: [image(geometry), filter(geometry), upstream(geometry)],
      build: ([x, w, dy]) => {
        const found = gradients(sum(mul(ours(x, w), dy)), [x, w]);
        const theirs = gradients(sum(mul(convolve(x, w), dy)), [x, w]);
        return found.flatMap((gradient, index) => [gradient, theirs[index] ?? gradient]);
      },
      expected,
    }),
  ];
}

export const windowsGradientCase = ({ op, fused }: Windows, geometry: Geometry): GradientCase =>
  gradientCase({
    op,
    name: geometry.name,
    inputs: [image(geometry), filter(geometry)],
    build: ([x, w]) => fused(x, w, geometry),
    step: 0.1,
    tolerance: 1e-4,
  });
