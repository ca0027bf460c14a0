// The gradient of a convolution's filter by our own kernels, for processors on which they are faster than TensorFlow's:
// in bfloat16 where these multiply matrices (src/tensorflow/native/kernels_amx.cc), in float32 by AVX2
// (kernels_filter_grad.cc). Sums are float32, and not rounded to bfloat16 again.

import type { Attributes, Tensor } from '../graph.js';
import { apply, hasKernels, type OpDefinition, type OpFamily, typeOf } from '../op.js';
import { knownDimension, type TensorType } from '../types.js';
import { type Norm, normAttributes, normBefore } from './remade.js';

export interface FilterGradOptions {
  stride: number;
  /** The filter, of any type. */
  like: Tensor;
}

const attributes = (inputs: readonly Tensor[], { stride, like }: FilterGradOptions): Attributes => ({
  ...typeOf(inputs),
  stride: { int: stride },
  window: { ints: [knownDimension(like.shape, 0), knownDimension(like.shape, 1)] },
});

const outputs = (_: readonly Tensor[], { like }: FilterGradOptions): readonly TensorType[] => [
  { dtype: 'float32', shape: like.shape },
];

const bfloatOp: OpDefinition<FilterGradOptions> = {
  op: 'DeepCnnFilterGrad',
  outputs,
  attributes,
  gradient: 'final',
};

const floatOp: OpDefinition<FilterGradOptions & { norm: Norm | undefined }> = {
  op: 'DeepCnnFloatFilterGrad',
  outputs,
  attributes: (inputs, { norm, ...options }) => ({ ...attributes(inputs, options), ...normAttributes(norm) }),
  gradient: 'final',
};

export const filterGradOps: OpFamily = [bfloatOp, floatOp];

/** Whether the graph has a kernel for x's type, and x is convolved in all channels, at stride 1 or 2, not dilated. */
export function hasFilterGrad(
  x: Tensor,
  { like, stride, dilation }: FilterGradOptions & { dilation: number },
): boolean {
  const isPlain = knownDimension(like.shape, 2) === knownDimension(x.shape, 3) && stride <= 2 && dilation === 1;
  return isPlain && hasKernels(x, [x.dtype === 'bfloat16' ? bfloatOp : floatOp]);
}

/**
 * The gradient at the filter [height, width, C, K], in float32, of a convolution of x [N, H, W, C], padded as TensorFlow's
 * `SAME` or not at all, to whose result dy [N, H', W', K] arrived.
 */
export function filterGrad(x: Tensor, dy: Tensor, options: FilterGradOptions): Tensor {
  if (x.dtype === 'bfloat16') return apply(bfloatOp, [x, dy], options);
  const norm = normForFilter(x, options.like);
  return apply(floatOp, [norm?.x ?? x, dy, ...(norm?.constants ?? [])], { ...options, norm });
}

/** The batch norm that x comes from, where our kernel makes x of it on the way: in float32, before filters of one pixel. */
export function normForFilter(x: Tensor, { shape }: Tensor): Norm | undefined {
  const isPoint = shape[0] === 1 && shape[1] === 1;
  return isPoint && x.dtype === 'float32' ? normBefore(x) : undefined;
}
