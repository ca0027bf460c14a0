// Convolution by 3 x 3 pixels with a quarter of the multiplications, by our own kernels
// (src/tensorflow/native/kernels_winograd.h): filters and sums in float32, whatever the images are.

import type { Tensor } from '../graph.js';
import { apply, hasKernels, type NoOptions, type OpDefinition, type OpFamily, present, typeOf } from '../op.js';
import { dimension, knownDimension } from '../types.js';
import { remade } from './remade.js';

const winogradOp: OpDefinition<NoOptions> = {
  op: 'DeepCnnWinograd',
  outputs: ([x, filter]) => {
    const fits = x?.shape.length === 4 && filter?.dtype === 'float32' && filter.shape[2] === x.shape[3];
    if (!fits) throw new Error(`internal: a convolution needs images and filters that fit: ${x}, ${filter}`);
    return [{ dtype: x.dtype, shape: [...x.shape.slice(0, 3), dimension(filter.shape, 3)] }];
  },
  attributes: typeOf,
  // dX is dY convolved with W turned round, dW is X correlated with dY.
  gradient: ({ inputs: [x, filter], wanted }, upstream) => {
    if (!x || !filter) return [];
    const dy = present(upstream);
    return [
      wanted[0] ? apply(inputGradOp, [dy, filter], { like: x }) : undefined,
      wanted[1] ? apply(filterGradOp, [remade(x, dy), dy], { like: filter }) : undefined,
    ];
  },
};

interface GradOptions {
  /** The tensor whose gradient this is. */
  like: Tensor;
}

const gradOp = (op: string): OpDefinition<GradOptions> => ({
  op,
  outputs: (_, { like }) => [like],
  attributes: typeOf,
  gradient: 'final',
});
const inputGradOp = gradOp('DeepCnnWinogradInputGrad');
const filterGradOp = gradOp('DeepCnnWinogradFilterGrad');

export const winogradOps: OpFamily = [winogradOp, inputGradOp, filterGradOp];

/** Whether the graph has these kernels, and they are the faster ones for 3 x 3 pixels of x, stride 1, padded by 1. */
export function hasWinograd(x: Tensor, channels: number): boolean {
  const { dtype, graph } = x;
  // Where a processor multiplies bfloat16 itself, that saves as much.
  const isFaster = dtype === 'float32' || (dtype === 'bfloat16' && graph.widens.has(dtype));
  return (
    hasKernels(x, winogradOps) && isFaster && [knownDimension(x.shape, 3), channels].every((count) => count % 16 === 0)
  );
}

/** Images [N, H, W, C], filters [3, 3, C, K] in float32 -> [N, H, W, K], where zeros surround the images. */
export function winogradConv2d(x: Tensor, filter: Tensor): Tensor {
  return apply(winogradOp, [x, filter], {});
}
