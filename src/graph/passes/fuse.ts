// Convolutions and matrix products that add their bias and apply ReLU in the same kernel, as TensorFlow.js knows them. What
// computes them is tested with its loader, since TensorFlow's own nodes of these names want further attributes.

import type { Node, Tensor } from '../graph.js';
import { countUses, rewrite } from './rewrite.js';

const fusedNames: Readonly<Record<string, string>> = {
  Conv2D: '_FusedConv2D',
  DepthwiseConv2dNative: 'FusedDepthwiseConv2dNative',
  MatMul: '_FusedMatMul',
};
const fusedOps: ReadonlySet<string> = new Set(Object.values(fusedNames));
const activations: ReadonlySet<string> = new Set(['Relu', 'Relu6']);

/** `tensors` with each `BiasAdd`, and the ReLU or ReLU6 after it, in one node with the op before it. */
export function fuseBiasAndActivation<K extends string>(tensors: Readonly<Record<K, Tensor>>): Record<K, Tensor> {
  const uses = countUses(tensors);
  return rewrite(tensors, (node, [x, bias]) => {
    const [source] = node.inputs;
    if (!x || !source || uses.get(source) !== 1) return undefined;
    if (node.op === 'BiasAdd' && bias) {
      const fused = fusedNames[x.node.op];
      return fused === undefined ? undefined : addFused(node, fused, x.node, [bias], ['BiasAdd']);
    }
    if (activations.has(node.op) && fusedOps.has(x.node.op)) {
      return addFused(node, x.node.op, x.node, [], ['BiasAdd', node.op]);
    }
    return undefined;
  });
}

function addFused(last: Node, op: string, first: Node, more: readonly Tensor[], fused: readonly string[]) {
  return first.graph.add({
    op,
    name: last.name,
    inputs: [...first.inputs, ...more],
    attributes: { ...first.attributes, num_args: { int: 1 }, fused_ops: { strings: fused }, epsilon: { float: 0 } },
    outputs: last.outputs,
    backward: () => 'final',
  }).outputs;
}
