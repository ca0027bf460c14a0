// Reshaping. ONNX reshapes memory as it lies, so that axes must first lie in the network's order, unless all that happens
// is that one axis is cut in two or two neighbours are joined: then the others may stay where they are.

import type { Dimension, Shape } from '../../graph/types.js';
import { inOrder } from './builder.js';
import { inputOf, type Rule } from './rule.js';

export const reshape: Rule = (node, t) => {
  const x = inputOf(node, 0);
  const shape = node.outputs[0]?.shape ?? [];
  const name = t.inOrder(x, inOrder(x.shape.length));
  const target = t.builder.integers('shape', targetOf(shape));
  return [{ name: t.builder.add('Reshape', [name, target], {}, node.name), order: inOrder(shape.length) }];
};

/** -1 stands for what follows from the others. */
const targetOf = (shape: Shape) => shape.map((size: Dimension) => size ?? -1);
