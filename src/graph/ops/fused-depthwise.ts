// Depthwise convolution by our own kernels (src/tensorflow/native/kernels_depthwise.h), with sums in float32 whatever the
// images are.

import type { Tensor } from '../graph.js';
import { apply, hasKernels, type OpFamily } from '../op.js';
import { type FusedWindowsOptions, fusedWindowsOps } from './fused-windows.js';

const { forwardOp, gradientOp } = fusedWindowsOps('DeepCnnDepthwise', (x, filter) => filter.shape[2] === x.shape[3]);

export const fusedDepthwiseOps: OpFamily = [forwardOp, gradientOp];

/** Whether the graph has these kernels, and they this kind of convolution of x: at stride 2, kernels of 3 or 5 pixels. */
export function hasFusedDepthwise(
  x: Tensor,
  { channels, kernel, stride }: { channels: number; kernel: number; stride: number },
): boolean {
  const isKnown = (stride === 1 && [3, 5, 7].includes(kernel)) || (stride === 2 && [3, 5].includes(kernel));
  return hasKernels(x, fusedDepthwiseOps) && isKnown && channels >= 16;
}

/** Images [N, H, W, C], filters [kernel, kernel, C, 1] in float32 -> [N, H', W', C]. */
export function fusedDepthwiseConv2d(x: Tensor, filter: Tensor, options: FusedWindowsOptions): Tensor {
  return apply(forwardOp, [x, filter], options);
}
