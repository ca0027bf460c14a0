// Nodes that run only where a condition holds. A tensor that was switched off reaches no kernel: what would have used it
// does not run, and neither does what would have run after that.

import type { Node, Tensor } from '../graph.js';
import { apply, applyAll, type NoOptions, type OpDefinition, type OpFamily, output, typeOf } from '../op.js';
import { floatConstant, identity } from './source.js';

const switchOp: OpDefinition<NoOptions> = {
  op: 'Switch',
  outputs: ([x, condition]) => {
    if (!x || condition?.dtype !== 'bool') throw new Error(`internal: ${condition} is no condition`);
    return [x, x];
  },
  attributes: typeOf,
  gradient: 'final',
};

const mergeOp: OpDefinition<NoOptions> = {
  op: 'Merge',
  // the value, and which input it was
  outputs: ([x]) => (x ? [x, { dtype: 'int32', shape: [] }] : []),
  attributes: (inputs) => ({ T: { dtype: inputs[0]?.dtype ?? 'float32' }, N: { int: inputs.length } }),
  gradient: 'final',
};

export const controlOps: OpFamily = [switchOp, mergeOp];

/** `x` where `condition`, a scalar of type bool, is true. */
export function onlyIf(condition: Tensor, x: Tensor): Tensor {
  return output(applyAll(switchOp, [x, condition], {}), 1);
}

/** A node that runs when all of `nodes`, each of which needs an `onlyIf` of this condition, have run or never will. */
export function ranOrNot(condition: Tensor, nodes: readonly Node[]): Node {
  const { graph } = condition;
  const either = applyAll(switchOp, [floatConstant(graph, 1), condition], {});
  const ran = graph.after(nodes, () => identity(output(either, 1)));
  return apply(mergeOp, [output(either, 0), ran], {}).node;
}
