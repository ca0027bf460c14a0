// Pooling over images [N, H, W, C].

import type { Attributes, Tensor } from '../graph.js';
import { apply, type OpDefinition, type OpFamily, present } from '../op.js';
import { dimension } from '../types.js';
import { windowedLength } from './conv.js';

export interface PoolOptions {
  kernel: number;
  stride: number;
  padding: 'SAME' | 'VALID';
}

const attributes = ([x]: readonly Tensor[], { kernel, stride, padding }: PoolOptions): Attributes => ({
  T: { dtype: x?.dtype ?? 'float32' },
  ksize: { ints: [1, kernel, kernel, 1] },
  strides: { ints: [1, stride, stride, 1] },
  padding: { string: padding },
  data_format: { string: 'NHWC' },
  explicit_paddings: { ints: [] },
});

// The gradient goes to the element of each window that was the largest.
const maxPoolOp: OpDefinition<PoolOptions> = {
  op: 'MaxPool',
  outputs: ([x], options) => {
    if (x?.shape.length !== 4) throw new Error(`internal: MaxPool needs images: ${x}`);
    const shape = [
      dimension(x.shape, 0),
      windowedLength(dimension(x.shape, 1), options.kernel, options),
      windowedLength(dimension(x.shape, 2), options.kernel, options),
      dimension(x.shape, 3),
    ];
    return [{ dtype: x.dtype, shape }];
  },
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

export const poolOps: OpFamily = [maxPoolOp, maxPoolGradOp];

/** The largest value of each window of `kernel` x `kernel` pixels. */
export function maxPool(x: Tensor, options: PoolOptions): Tensor {
  return apply(maxPoolOp, [x], options);
}
