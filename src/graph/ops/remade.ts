// What our batch norm made (fused-norm.ts) and the backward pass needs once more is not kept, but made of x again: x is kept
// anyway, and both together are most of a training step's memory. Chen et al. 2016 (arXiv:1604.06174) do so with more.

import type { Attribute, Attributes, Tensor } from '../graph.js';
import { apply, type OpDefinition, type OpFamily } from '../op.js';
import { copyNode } from '../substitute.js';
import { dtypeBytes } from '../types.js';

/** The numbers by which our kernels know activations (src/tensorflow/native/kernels.h). */
export const activationCodes = { none: 0, relu: 1, relu6: 2, silu: 3, hardSwish: 4 } as const;

/** A batch norm of a batch whose mean and deviation are known. */
export interface Norm {
  x: Tensor;
  /** scale, offset, mean and 1 / std, each [C] and float32. */
  constants: readonly Tensor[];
  activation: Attribute;
}

const normaliseOp: OpDefinition<Pick<Norm, 'activation'>> = {
  op: 'DeepCnnNormalise',
  outputs: ([x]) => (x ? [x] : []),
  attributes: ([x, , , , , side], { activation }) => ({
    T: { dtype: x?.dtype ?? 'float32' },
    activation,
    sides: { int: side ? 1 : 0 },
  }),
  gradient: 'final',
};

/** activation(scale (x - mean) rstd + offset + side), where there is a side; it has no gradient. */
export const normalise = ({ x, constants, activation }: Norm, side?: Tensor): Tensor =>
  apply(normaliseOp, [x, ...constants, ...(side ? [side] : [])], { activation });

export const remadeOps: OpFamily = [normaliseOp];

/**
 * The batch norm that made y, where nothing was added to it and y is worth making again; undefined where y is something
 * else, or to be kept.
 */
export function normBefore({ node, index }: Tensor): Norm | undefined {
  const [x, scale, offset, , , side] = node.inputs;
  const [, , , mean, rstd] = node.outputs;
  const { activation } = node.attributes;
  if (node.op !== 'DeepCnnBatchNorm' || index !== 0 || side) return undefined;
  if (!x || !scale || !offset || !mean || !rstd || !activation) return undefined;
  // In bfloat16 there is half as much to keep, and a sigmoid for each number takes an EfficientNet 8 % more time.
  const isSilu = 'int' in activation && activation.int === activationCodes.silu;
  if (isSilu && x.dtype === 'bfloat16') return undefined;
  return { x, constants: [scale, offset, mean, rstd], activation };
}

/** Attributes of a kernel that is given the batch norm before it, or none, as `norm: norms * float`. */
export function normAttributes(norm: Norm | undefined): Attributes {
  return { norms: { int: norm?.constants.length ?? 0 }, activation: norm?.activation ?? { int: 0 } };
}

/** Whether y was only widened: twice the memory for what is there already. */
export const isWidened = ({ node, dtype }: Tensor): boolean =>
  node.op === 'Cast' && dtype === 'float32' && dtypeBytes[node.inputs[0]?.dtype ?? 'float32'] === 2;

/**
 * Whether y is what an op of ours makes again in little time, of what is kept anyway. In bfloat16 products are too quick, and
 * there is too little to save, for a GELU to be made twice.
 */
const isCheap = ({ node, dtype }: Tensor): boolean =>
  node.op === 'DeepCnnLayerNorm' || (node.op === 'DeepCnnGelu' && dtype === 'float32');

/**
 * Whether a factor of a product is what one of these made of images, in another shape or type. What a network's head reads is
 * kept as it is, so that the head can be computed apart.
 */
export function isCheapOfImages(y: Tensor): boolean {
  if (isCheap(y)) return y.shape.length === 4;
  const [input] = y.node.inputs;
  return input !== undefined && (y.node.op === 'Reshape' || isWidened(y)) && isCheapOfImages(input);
}

/**
 * y for a computation of the backward pass that waits for `dy`: made again then, to the bit, where one of our batch or
 * layer norms or GELUs made it, where it is what one made, padded or in another shape, or where it is a copy in float32 of what
 * has 16 bits; else y itself.
 */
export function remade(y: Tensor, dy: Tensor): Tensor {
  const { node, graph } = y;
  const [input, ...more] = node.inputs;
  const again = (inputs: readonly Tensor[]) =>
    graph.after([dy.node], () => copyNode(node, inputs, graph)).outputs[0] ?? y;
  if (isCheap(y)) return again(node.inputs);
  if (input && (node.op === 'PadV2' || node.op === 'Reshape' || isWidened(y))) {
    const made = remade(input, dy);
    return made === input && !isWidened(y) ? y : again([made, ...more]);
  }
  const norm = normBefore(y);
  return norm ? graph.after([dy.node], () => normalise(norm)) : y;
}
