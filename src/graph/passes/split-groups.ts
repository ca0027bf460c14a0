// Grouped convolutions as what they are, one convolution a group, for those who know no other.

import type { Graph, Node, Tensor } from '../graph.js';
import { concat, split } from '../ops/array.js';
import { knownDimension } from '../types.js';
import { addConstant, floatsOf } from './constants.js';
import { rewrite } from './rewrite.js';

/** `tensors` with each grouped `Conv2D` of a constant filter cut into its groups. */
export function splitGroups<K extends string>(tensors: Readonly<Record<K, Tensor>>): Record<K, Tensor> {
  return rewrite(tensors, (node, [x, filter], graph) => {
    if (node.op !== 'Conv2D' || !x || !filter) return undefined;
    const groups = knownDimension(x.shape, 3) / knownDimension(filter.shape, 2);
    return groups === 1 ? undefined : [splitConvolution(node, { x, filter, groups }, graph)];
  });
}

function splitConvolution(
  node: Node,
  { x, filter, groups }: { x: Tensor; filter: Tensor; groups: number },
  graph: Graph,
): Tensor {
  const weights = floatsOf(filter);
  if (!weights) throw new Error(`internal: the grouped convolution ${node.name} has no constant filter`);
  const channels = knownDimension(filter.shape, 3);
  const shape = filter.shape.with(3, channels / groups).map((size) => size ?? 0);
  const { op, name, attributes, outputs } = node;
  const own = outputs.map(({ dtype, shape: whole }) => ({ dtype, shape: whole.with(3, channels / groups) }));
  const parts = split(x, groups, 3).flatMap((part, group) => {
    const data = columns(weights, { of: channels, first: group * (channels / groups), count: channels / groups });
    const ownFilter = addConstant(graph, `${filter.node.name}/group`, { shape, data });
    return graph.add({ op, name, inputs: [part, ownFilter], attributes, outputs: own, backward: () => 'final' })
      .outputs;
  });
  return concat(parts, 3);
}

/** Some neighbouring columns of a matrix, row-major. */
function columns(matrix: Float32Array, { of, first, count }: { of: number; first: number; count: number }) {
  const rows = matrix.length / of;
  const cut = new Float32Array(rows * count);
  for (let row = 0; row < rows; row++) {
    cut.set(matrix.subarray(row * of + first, row * of + first + count), row * count);
  }
  return cut;
}
