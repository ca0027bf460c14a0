// Matrices that lie as they are used. Not every backend of TensorFlow.js heeds that one is to be read transposed: WASM's
// fused product does not (4.22).

import type { Tensor } from '../graph.js';
import { addConstant, constantOf, floatsOf } from './constants.js';
import { permute } from './permute.js';
import { rewrite } from './rewrite.js';

/** `tensors` with the constant right side of each matrix product transposed beforehand. */
export function turnMatrices<K extends string>(tensors: Readonly<Record<K, Tensor>>): Record<K, Tensor> {
  return rewrite(tensors, (node, [a, b], graph) => {
    const transposed = node.attributes['transpose_b'];
    if (node.op !== 'MatMul' || !transposed || !('bool' in transposed) || !transposed.bool) return undefined;
    const data = b && floatsOf(b);
    const [rows = 0, columns = 0] = (b && constantOf(b)?.shape) ?? [];
    if (!a || !data) return undefined;
    const turned = addConstant(graph, b.node.name, {
      shape: [columns, rows],
      data: permute(data, [rows, columns], [1, 0]),
    });
    const { op, name, outputs } = node;
    const attributes = { ...node.attributes, transpose_b: { bool: false } };
    return graph.add({ op, name, inputs: [a, turned], attributes, outputs, backward: () => 'final' }).outputs;
  });
}
