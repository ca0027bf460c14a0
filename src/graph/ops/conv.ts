// Two-dimensional convolution on images [N, H, W, C].
//
// `padding: EXPLICIT` is not offered: on the CPU it leaves the fast kernels. Pad first, then use VALID.

import type { Attributes, Tensor } from '../graph.js';
import { apply, type NoOptions, type OpDefinition, type OpFamily, present } from '../op.js';
import { type Dimension, dimension, knownDimension } from '../types.js';
import { cast, reshape, shapeOf } from './array.js';
import { filterGrad, hasFilterGrad, normForFilter } from './filter-grad.js';
import { matMul } from './math.js';
import { isWidened, remade } from './remade.js';
import { widened } from './widen.js';

export interface ConvOptions {
  stride: number;
  padding: 'SAME' | 'VALID';
  dilation: number;
}

const attributes = ([x]: readonly Tensor[], { stride, padding, dilation }: ConvOptions): Attributes => ({
  T: { dtype: x?.dtype ?? 'float32' },
  strides: { ints: [1, stride, stride, 1] },
  dilations: { ints: [1, dilation, dilation, 1] },
  padding: { string: padding },
  data_format: { string: 'NHWC' },
  explicit_paddings: { ints: [] },
  use_cudnn_on_gpu: { bool: true },
});

/** Output length along one spatial axis. */
export function windowedLength(
  length: Dimension,
  kernel: number,
  { stride, padding, dilation = 1 }: { stride: number; padding: 'SAME' | 'VALID'; dilation?: number },
): Dimension {
  if (length === null) return null;
  const extent = (kernel - 1) * dilation + 1;
  const positions = padding === 'SAME' ? Math.ceil(length / stride) : Math.ceil((length - extent + 1) / stride);
  if (positions < 1) throw new Error(`internal: a kernel of ${kernel} does not fit into a length of ${length}`);
  return positions;
}

// Y = X * W: dX is dY convolved with W turned round, dW is X correlated with dY.
const conv2dOp: OpDefinition<ConvOptions> = {
  op: 'Conv2D',
  outputs: ([x, filter], options) => {
    if (x?.shape.length !== 4 || filter?.shape.length !== 4 || x.dtype !== filter.dtype) {
      throw new Error(`internal: Conv2D needs images and filters of one type: ${x}, ${filter}`);
    }
    const [height, width, depth, channels] = [0, 1, 2, 3].map((axis) => knownDimension(filter.shape, axis));
    if (height === undefined || width === undefined || depth === undefined || channels === undefined) return [];
    const groups = knownDimension(x.shape, 3) / depth;
    if (!Number.isInteger(groups) || channels % groups !== 0) {
      throw new Error(`internal: Conv2D's channels do not fit: ${x}, ${filter}`);
    }
    const shape = [
      dimension(x.shape, 0),
      windowedLength(dimension(x.shape, 1), height, options),
      windowedLength(dimension(x.shape, 2), width, options),
      channels,
    ];
    return [{ dtype: x.dtype, shape }];
  },
  attributes,
  gradient: ({ inputs: [x, filter], options, wanted }, upstream) => {
    if (!x || !filter) return [];
    const dy = present(upstream);
    return [
      wanted[0] ? apply(conv2dBackpropInputOp, [shapeOf(x), filter, dy], { ...options, like: x }) : undefined,
      wanted[1] ? filterGradient(x, filter, dy, options) : undefined,
    ];
  },
};

/** Multiplications with each number of x from which on it takes but little longer to make x once more. */
const manyProducts = 256;

/** A 1x1 convolution is a product of matrices, whose gradient in bfloat16 TensorFlow's product computes faster on small images. */
function filterGradient(input: Tensor, filter: Tensor, dy: Tensor, options: ConvOptions): Tensor {
  const [height, width, depth, channels] = filter.shape as [number, number, number, number];
  const pixels = knownPixels(input);
  const inputs = knownDimension(input.shape, 3);
  const products = (height * width * channels * depth) / (inputs * options.stride ** 2);
  const isOurs = hasFilterGrad(input, { ...options, like: filter });
  const isMadeThere = isOurs && normForFilter(input, filter) !== undefined;
  const x = !isMadeThere && (products >= manyProducts || isWidened(input)) ? remade(input, dy) : input;
  if (isOurs) return cast(filterGrad(x, dy, { stride: options.stride, like: filter }), filter.dtype);
  const isProduct = height * width === 1 && options.stride === 1 && depth === inputs;
  if (isProduct && pixels !== undefined && x.dtype === 'bfloat16' && pixels <= 28 * 28) {
    const product = matMul(reshape(x, [null, depth]), reshape(dy, [null, channels]), { transposeA: true });
    return reshape(product, filter.shape);
  }
  return apply(conv2dBackpropFilterOp, [x, shapeOf(filter), dy], { ...options, like: filter });
}

function knownPixels({ shape }: Tensor): number | undefined {
  const [, height, width] = shape;
  return typeof height === 'number' && typeof width === 'number' ? height * width : undefined;
}

interface BackpropOptions extends ConvOptions {
  /** The tensor whose gradient this is. */
  like: Tensor;
}

const backprop = (op: string): OpDefinition<BackpropOptions> => ({
  op,
  outputs: (_, { like }) => [like],
  attributes: ([, , dy], options) => attributes(dy ? [dy] : [], options),
  gradient: 'final',
});
const conv2dBackpropInputOp = backprop('Conv2DBackpropInput');
const conv2dBackpropFilterOp = backprop('Conv2DBackpropFilter');

const biasAttributes = ([x]: readonly Tensor[]): Attributes => ({
  T: { dtype: x?.dtype ?? 'float32' },
  data_format: { string: 'NHWC' },
});

// d(x + bias) = dx + dbias, summed over all but the channels
const biasAddOp: OpDefinition<NoOptions> = {
  op: 'BiasAdd',
  outputs: ([x, bias]) => {
    if (!x || bias?.dtype !== x.dtype || bias.shape.length !== 1 || dimension(x.shape, -1) !== bias.shape[0]) {
      throw new Error(`internal: BiasAdd needs one number a channel: ${x}, ${bias}`);
    }
    return [x];
  },
  attributes: biasAttributes,
  gradient: ({ wanted }, dy) => [dy, wanted[1] ? apply(biasAddGradOp, [present(dy)], {}) : undefined],
};

const biasAddGradOp: OpDefinition<NoOptions> = {
  op: 'BiasAddGrad',
  outputs: ([dy]) => (dy ? [{ dtype: dy.dtype, shape: [dimension(dy.shape, -1)] }] : []),
  attributes: biasAttributes,
  gradient: 'final',
};

export const convOps: OpFamily = [conv2dOp, conv2dBackpropInputOp, conv2dBackpropFilterOp, biasAddOp, biasAddGradOp];

/**
 * Convolves images [N, H, W, C] with filters [height, width, C / groups, out]; a filter that is narrower than the
 * image makes it a grouped convolution.
 */
export function conv2d(
  x: Tensor,
  filter: Tensor,
  { stride = 1, padding = 'VALID', dilation = 1 }: Partial<ConvOptions> = {},
): Tensor {
  const options = { stride, padding, dilation };
  return widened([x, filter], (images, filters) => apply(conv2dOp, [images, filters], options));
}

/** Adds one number to each channel, the last axis of `x`. */
export function addBias(x: Tensor, bias: Tensor): Tensor {
  return apply(biasAddOp, [x, bias], {});
}
