// A maximum pool is padded with what no maximum ever is, which PyTorch takes to be minus infinity. Behind a ReLU zero does
// as well, and is a number that every device can hold.

import type { Tensor } from '../graph.js';
import { copyNode } from '../substitute.js';
import { addConstant, floatsOf } from './constants.js';
import { rewrite } from './rewrite.js';

/** `tensors` with nothing padded by minus infinity where no number is negative. */
export function padByZero<K extends string>(tensors: Readonly<Record<K, Tensor>>): Record<K, Tensor> {
  return rewrite(tensors, (node, [x, paddings, value], graph) => {
    if (node.op !== 'PadV2' || !x || !paddings || !value) return undefined;
    if (floatsOf(value)?.[0] !== Number.NEGATIVE_INFINITY || !isNonNegative(x)) return undefined;
    const zero = addConstant(graph, value.node.name, { shape: [], data: Float32Array.of(0) });
    return copyNode(node, [x, paddings, zero], graph).outputs;
  });
}

const nonNegative: ReadonlySet<string> = new Set(['Relu', 'Relu6', 'Sigmoid', 'Softmax', 'Square']);
const keepsSign: ReadonlySet<string> = new Set(['ConcatV2', 'MaxPool', 'AvgPool', 'Split', 'Reshape', 'Transpose']);

function isNonNegative({ node, dtype }: Tensor): boolean {
  if (nonNegative.has(node.op)) return true;
  return keepsSign.has(node.op) && node.inputs.every((input) => input.dtype !== dtype || isNonNegative(input));
}
