// The gradient of a convolution's filter by our own kernel (src/tensorflow/native/kernels_amx.cc), which is there where a
// processor multiplies matrices of bfloat16: sums in float32, which is not rounded to bfloat16 again.

import type { Tensor } from '../graph.js';
import { apply, hasKernels, type OpDefinition, type OpFamily } from '../op.js';
import { knownDimension } from '../types.js';

export interface FilterGradOptions {
  stride: number;
  /** The filter, of any type. */
  like: Tensor;
}

const filterGradOp: OpDefinition<FilterGradOptions> = {
  op: 'DeepCnnFilterGrad',
  outputs: (_, { like }) => [{ dtype: 'float32', shape: like.shape }],
  attributes: ([x], { stride, like }) => ({
    T: { dtype: x?.dtype ?? 'bfloat16' },
    stride: { int: stride },
    window: { ints: [knownDimension(like.shape, 0), knownDimension(like.shape, 1)] },
  }),
  gradient: 'final',
};

export const filterGradOps: OpFamily = [filterGradOp];

/** Whether the graph has this kernel, and it such a convolution of x: of all channels, at stride 1 or 2, not dilated. */
export function hasFilterGrad(
  x: Tensor,
  { like, stride, dilation }: FilterGradOptions & { dilation: number },
): boolean {
  const isPlain = knownDimension(like.shape, 2) === knownDimension(x.shape, 3) && stride <= 2 && dilation === 1;
  return x.dtype === 'bfloat16' && hasKernels(x, filterGradOps) && isPlain;
}

/**
 * The gradient at the filter [height, width, C, K], in float32, of a convolution of x [N, H, W, C], padded as TensorFlow's
 * `SAME` or not at all, to whose result dy [N, H', W', K] arrived.
 */
export const filterGrad = (x: Tensor, dy: Tensor, options: FilterGradOptions): Tensor =>
  apply(filterGradOp, [x, dy], options);
