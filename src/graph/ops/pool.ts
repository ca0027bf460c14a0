// Pooling over images [N, H, W, C].

import type { Attributes, Tensor } from '../graph.js';
import { apply, type OpDefinition, type OpFamily, present } from '../op.js';
import { dimension, type TensorType } from '../types.js';
import { shapeOf } from './array.js';
import { windowedLength } from './conv.js';

export interface PoolOptions {
  kernel: number;
  stride: number;
  padding: 'SAME' | 'VALID';
}

const windowAttributes = (x: Tensor | undefined, { kernel, stride, padding }: PoolOptions): Attributes => ({
  T: { dtype: x?.dtype ?? 'float32' },
  ksize: { ints: [1, kernel, kernel, 1] },
  strides: { ints: [1, stride, stride, 1] },
  padding: { string: padding },
  data_format: { string: 'NHWC' },
});

const attributes = ([x]: readonly Tensor[], options: PoolOptions): Attributes => ({
  ...windowAttributes(x, options),
  explicit_paddings: { ints: [] },
});

function pooled([x]: readonly Tensor[], options: PoolOptions): TensorType[] {
  if (x?.shape.length !== 4) throw new Error(`internal: a pool needs images: ${x}`);
  const shape = [
    dimension(x.shape, 0),
    windowedLength(dimension(x.shape, 1), options.kernel, options),
    windowedLength(dimension(x.shape, 2), options.kernel, options),
    dimension(x.shape, 3),
  ];
  return [{ dtype: x.dtype, shape }];
}

// The gradient goes to the element of each window that was the largest.
const maxPoolOp: OpDefinition<PoolOptions> = {
  op: 'MaxPool',
  outputs: pooled,
  attributes,
  gradient: ({ inputs: [x], outputs: [y], options }, dy) =>
    x && y ? [apply(maxPoolGradOp, [x, y, present(dy)], options)] : [],
};

const maxPoolGradOp: OpDefinition<PoolOptions> = {
  op: 'MaxPoolGrad',
  outputs: ([x]) => (x ? [x] : []),
  attributes,
  gradient: 'final',
};

// The gradient is spread evenly over the pixels of each window that were counted.
const avgPoolOp: OpDefinition<PoolOptions> = {
  op: 'AvgPool',
  outputs: pooled,
  attributes: ([x], options) => windowAttributes(x, options),
  gradient: ({ inputs: [x], options }, dy) =>
    x ? [apply(avgPoolGradOp, [shapeOf(x), present(dy)], { ...options, like: x })] : [],
};

const avgPoolGradOp: OpDefinition<PoolOptions & { like: Tensor }> = {
  op: 'AvgPoolGrad',
  outputs: (_, { like }) => [like],
  attributes: ([, dy], options) => windowAttributes(dy, options),
  gradient: 'final',
};

export const poolOps: OpFamily = [maxPoolOp, maxPoolGradOp, avgPoolOp, avgPoolGradOp];

/** The largest value of each window of `kernel` x `kernel` pixels. */
export function maxPool(x: Tensor, options: PoolOptions): Tensor {
  return apply(maxPoolOp, [x], options);
}

/** The mean of each window of `kernel` x `kernel` pixels; what SAME adds at the edges does not count. */
export function avgPool(x: Tensor, options: PoolOptions): Tensor {
  return apply(avgPoolOp, [x], options);
}
