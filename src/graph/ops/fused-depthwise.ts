// Depthwise convolution by our own kernels (src/tensorflow/native/kernels_depthwise.h): both gradients at once, zeros at the
// edges on any side, and a filter and sums in float32 whatever the images are.

import type { Tensor } from '../graph.js';
import { apply, applyAll, hasKernels, type OpDefinition, type OpFamily, output, present } from '../op.js';
import { dimension, knownDimension } from '../types.js';
import { type Norm, normAttributes, normBefore } from './remade.js';

export interface FusedDepthwiseOptions {
  stride: number;
  /** Zeros at the top, bottom, left and right. */
  padding: readonly [top: number, bottom: number, left: number, right: number];
}

const attributes = (x: Tensor | undefined, { stride, padding }: FusedDepthwiseOptions) => ({
  T: { dtype: x?.dtype ?? 'float32' },
  stride: { int: stride },
  padding: { ints: padding },
});

const depthwiseOp: OpDefinition<FusedDepthwiseOptions> = {
  op: 'DeepCnnDepthwise',
  outputs: ([x, filter], { stride, padding: [top, bottom, left, right] }) => {
    if (x?.shape.length !== 4 || filter?.dtype !== 'float32' || filter.shape[2] !== x.shape[3]) {
      throw new Error(`internal: a depthwise convolution needs images and filters that fit: ${x}, ${filter}`);
    }
    const kernel = knownDimension(filter.shape, 0);
    const length = (axis: number, added: number) =>
      Math.floor((knownDimension(x.shape, axis) + added - kernel) / stride) + 1;
    const shape = [dimension(x.shape, 0), length(1, top + bottom), length(2, left + right), dimension(x.shape, 3)];
    return [{ dtype: x.dtype, shape }];
  },
  attributes: ([x], options) => attributes(x, options),
  // dX is dY convolved with W turned round, dW is X correlated with dY, channel by channel.
  gradient: ({ inputs: [x, filter], options }, dy) => {
    if (!x || !filter) return [];
    const norm = normBefore(x);
    const given = [norm?.x ?? x, filter, present(dy), ...(norm?.constants ?? [])];
    const node = applyAll(depthwiseGradOp, given, { ...options, norm });
    return [output(node, 0), output(node, 1)];
  },
};

const depthwiseGradOp: OpDefinition<FusedDepthwiseOptions & { norm: Norm | undefined }> = {
  op: 'DeepCnnDepthwiseGrad',
  outputs: ([x, filter]) => (x && filter ? [x, filter] : []),
  attributes: ([x], { norm, ...options }) => ({ ...attributes(x, options), ...normAttributes(norm) }),
  gradient: 'final',
};

export const fusedDepthwiseOps: OpFamily = [depthwiseOp, depthwiseGradOp];

/** Whether the graph has these kernels, and they this kind of convolution of x: at stride 2, kernels of 3 or 5 pixels. */
export function hasFusedDepthwise(
  x: Tensor,
  { channels, kernel, stride }: { channels: number; kernel: number; stride: number },
): boolean {
  const isKnown = (stride === 1 && [3, 5, 7].includes(kernel)) || (stride === 2 && [3, 5].includes(kernel));
  return hasKernels(x, fusedDepthwiseOps) && isKnown && channels >= 16;
}

/** Images [N, H, W, C], filters [kernel, kernel, C, 1] in float32 -> [N, H', W', C]. */
export function fusedDepthwiseConv2d(x: Tensor, filter: Tensor, options: FusedDepthwiseOptions): Tensor {
  return apply(depthwiseOp, [x, filter], options);
}
