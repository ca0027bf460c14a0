// What a rule of translation is, and what rules look at.

import type { Node, Tensor } from '../../graph/graph.js';
import { floatsOf, intsOf } from '../../graph/passes/constants.js';
import type { AxisOrder, Loose, OnnxBuilder, Placed } from './builder.js';

/** What the rules need: the network's tensors in the ONNX graph. */
export interface Translation {
  readonly builder: OnnxBuilder;
  /** Where a tensor is; constants come as they lie in the network. */
  placed(tensor: Tensor): Placed;
  /** The tensor's name when it lies as `order` says. */
  inOrder(tensor: Tensor, order: AxisOrder): string;
  /** How often a tensor is used. */
  uses(tensor: Tensor): number;
}

/** Where a node's outputs are. */
export type Rule = (node: Node, t: Translation) => readonly Placed[];

export function inputOf(node: Node, index: number): Tensor {
  const found = node.inputs[index];
  if (!found) throw new Error(`internal: ${node.op} ${node.name} has no input ${index}`);
  return found;
}

/** The numbers of a constant. */
export function looseOf(x: Tensor): Loose | undefined {
  const data = floatsOf(x) ?? intsOf(x);
  return data && { shape: x.shape.map((size) => size ?? 0), data };
}
