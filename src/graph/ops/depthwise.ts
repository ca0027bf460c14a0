// Depthwise convolution on images [N, H, W, C]: each channel is convolved with filters of its own. Dilation is not
// offered: on the CPU its gradients fail.

import type { Attributes, Tensor } from '../graph.js';
import { apply, type OpDefinition, type OpFamily, present } from '../op.js';
import { dimension, knownDimension } from '../types.js';
import { shapeOf } from './array.js';
import { type ConvOptions, windowedLength } from './conv.js';
import { widened } from './widen.js';

export type DepthwiseOptions = Omit<ConvOptions, 'dilation'>;

const attributes = (x: Tensor | undefined, { stride, padding }: DepthwiseOptions): Attributes => ({
  T: { dtype: x?.dtype ?? 'float32' },
  strides: { ints: [1, stride, stride, 1] },
  dilations: { ints: [1, 1, 1, 1] },
  padding: { string: padding },
  data_format: { string: 'NHWC' },
  explicit_paddings: { ints: [] },
});

// As for Conv2D: dX is dY convolved with W turned round, dW is X correlated with dY, channel by channel.
const depthwiseOp: OpDefinition<DepthwiseOptions> = {
  op: 'DepthwiseConv2dNative',
  outputs: ([x, filter], options) => {
    if (x?.shape.length !== 4 || filter?.shape.length !== 4 || x.dtype !== filter.dtype) {
      throw new Error(`internal: a depthwise convolution needs images and filters of one type: ${x}, ${filter}`);
    }
    const channels = knownDimension(x.shape, 3);
    if (channels !== filter.shape[2]) throw new Error(`internal: one filter a channel is needed: ${x}, ${filter}`);
    const shape = [
      dimension(x.shape, 0),
      windowedLength(dimension(x.shape, 1), knownDimension(filter.shape, 0), options),
      windowedLength(dimension(x.shape, 2), knownDimension(filter.shape, 1), options),
      channels * knownDimension(filter.shape, 3),
    ];
    return [{ dtype: x.dtype, shape }];
  },
  attributes: ([x], options) => attributes(x, options),
  gradient: ({ inputs: [x, filter], options, wanted }, upstream) => {
    if (!x || !filter) return [];
    const dy = present(upstream);
    return [
      wanted[0] ? apply(backpropInputOp, [shapeOf(x), filter, dy], { ...options, like: x }) : undefined,
      wanted[1] ? apply(backpropFilterOp, [x, shapeOf(filter), dy], { ...options, like: filter }) : undefined,
    ];
  },
};

interface BackpropOptions extends DepthwiseOptions {
  /** The tensor whose gradient this is. */
  like: Tensor;
}

const backprop = (op: string): OpDefinition<BackpropOptions> => ({
  op,
  outputs: (_, { like }) => [like],
  attributes: ([, , dy], options) => attributes(dy, options),
  gradient: 'final',
});
const backpropInputOp = backprop('DepthwiseConv2dNativeBackpropInput');
const backpropFilterOp = backprop('DepthwiseConv2dNativeBackpropFilter');

export const depthwiseOps: OpFamily = [depthwiseOp, backpropInputOp, backpropFilterOp];

/** Images [N, H, W, C], filters [height, width, C, multiplier] -> [N, H', W', C multiplier]. */
export function depthwiseConv2d(
  x: Tensor,
  filter: Tensor,
  { stride = 1, padding = 'VALID' }: Partial<DepthwiseOptions> = {},
): Tensor {
  return widened([x, filter], (images, filters) => apply(depthwiseOp, [images, filters], { stride, padding }));
}
