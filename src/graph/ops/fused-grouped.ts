// Grouped convolution by 3 x 3 pixels by our own kernels (src/tensorflow/native/kernels_grouped.cc), in float32.

import type { Tensor } from '../graph.js';
import { apply, hasKernels, type OpFamily } from '../op.js';
import { knownDimension } from '../types.js';
import { cast } from './array.js';
import { type FusedWindowsOptions, fusedWindowsOps } from './fused-windows.js';

const { forwardOp, gradientOp } = fusedWindowsOps('DeepCnnGrouped', (x, filter) => filter.shape[3] === x.shape[3]);

export const fusedGroupedOps: OpFamily = [forwardOp, gradientOp];

/**
 * Whether the graph has these kernels for x, which is float32 or widened to it, and they this kind of convolution of it,
 * in `groups` groups of as many channels as it makes of them.
 */
export function hasFusedGrouped(
  x: Tensor,
  { channels, groups, kernel, stride }: { channels: number; groups: number; kernel: number; stride: number },
): boolean {
  const group = channels / groups;
  const isKnown = kernel === 3 && (stride === 1 || stride === 2) && channels % 8 === 0;
  const isFloat = x.dtype === 'float32' || x.graph.widens.has(x.dtype);
  const isWhole = group === 4 || group % 8 === 0;
  return hasKernels(x, fusedGroupedOps) && isFloat && isKnown && isWhole && channels === knownDimension(x.shape, 3);
}

/** Images [N, H, W, C], filters [3, 3, C / groups, C] in float32 -> [N, H', W', C] of the images' type. */
export function fusedGroupedConv2d(x: Tensor, filter: Tensor, options: FusedWindowsOptions): Tensor {
  return cast(apply(forwardOp, [cast(x, 'float32'), filter], options), x.dtype);
}
