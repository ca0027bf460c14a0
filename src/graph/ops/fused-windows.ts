// What our kernels for depthwise and for grouped convolutions have in common: both gradients at once, zeros at the edges on
// any side, a filter in float32 whatever the images are, and the batch norm before them made again on the way.

import type { Tensor } from '../graph.js';
import { applyAll, type OpDefinition, output, present } from '../op.js';
import { dimension, knownDimension } from '../types.js';
import { isWidened, type Norm, normAttributes, normBefore, remade } from './remade.js';

export interface FusedWindowsOptions {
  stride: number;
  /** Zeros at the top, bottom, left and right. */
  padding: readonly [top: number, bottom: number, left: number, right: number];
}

const attributes = (x: Tensor | undefined, { stride, padding }: FusedWindowsOptions) => ({
  T: { dtype: x?.dtype ?? 'float32' },
  stride: { int: stride },
  padding: { ints: padding },
});

/**
 * A convolution that makes as many channels as it reads, and its gradients. `fits`: whether a filter in float32 is one for
 * such images.
 */
export function fusedWindowsOps(op: string, fits: (x: Tensor, filter: Tensor) => boolean) {
  const gradientOp: OpDefinition<FusedWindowsOptions & { norm: Norm | undefined }> = {
    op: `${op}Grad`,
    outputs: ([x, filter]) => (x && filter ? [x, filter] : []),
    attributes: ([x], { norm, ...options }) => ({ ...attributes(x, options), ...normAttributes(norm) }),
    gradient: 'final',
  };
  const forwardOp: OpDefinition<FusedWindowsOptions> = {
    op,
    outputs: ([x, filter], { stride, padding: [top, bottom, left, right] }) => {
      if (x?.shape.length !== 4 || filter?.dtype !== 'float32' || !fits(x, filter)) {
        throw new Error(`internal: ${op} needs images and filters that fit: ${x}, ${filter}`);
      }
      const kernel = knownDimension(filter.shape, 0);
      const length = (axis: number, added: number) =>
        Math.floor((knownDimension(x.shape, axis) + added - kernel) / stride) + 1;
      const shape = [dimension(x.shape, 0), length(1, top + bottom), length(2, left + right), dimension(x.shape, 3)];
      return [{ dtype: x.dtype, shape }];
    },
    attributes: ([x], options) => attributes(x, options),
    // dX is dY convolved with W turned round, dW is X correlated with dY.
    gradient: ({ inputs: [x, filter], options }, dy) => {
      if (!x || !filter) return [];
      const norm = normBefore(x);
      const upstream = present(dy);
      const images = norm?.x ?? (isWidened(x) ? remade(x, upstream) : x);
      const given = [images, filter, upstream, ...(norm?.constants ?? [])];
      const node = applyAll(gradientOp, given, { ...options, norm });
      return [output(node, 0), output(node, 1)];
    },
  };
  return { forwardOp, gradientOp };
}
