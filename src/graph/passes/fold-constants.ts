// What can be computed beforehand: casts, reshapes and transpositions of constants. Identities go, too.

import type { Node, Tensor } from '../graph.js';
import type { DType } from '../types.js';
import { addConstant, constantOf, floatsOf, intsOf } from './constants.js';
import { permute } from './permute.js';
import { rewrite } from './rewrite.js';

/** `tensors` with nothing left to be computed from constants alone by `Cast`, `Reshape` or `Transpose`. */
export function foldConstants<K extends string>(tensors: Readonly<Record<K, Tensor>>): Record<K, Tensor> {
  const kept = new Set(Object.values<Tensor>(tensors));
  return rewrite(tensors, (node, inputs, graph) => {
    const [x] = inputs;
    if (!x) return undefined;
    // The names of inputs and outputs are for those who run the graph.
    if (node.op === 'Identity') return kept.has(node.outputs[0] ?? x) ? undefined : [x];
    const data = floatsOf(x) ?? intsOf(x);
    const value = data && folded(node, inputs, data);
    return value && [addConstant(graph, node.name, value)];
  });
}

function folded(node: Node, [x, second]: readonly Tensor[], data: Float32Array | Int32Array) {
  const shape = node.outputs[0]?.shape.map((size) => size ?? -1) ?? [];
  const places = second && intsOf(second);
  switch (node.op) {
    case 'Cast': {
      const cast = castTo(node.outputs[0]?.dtype, data);
      return cast && { shape, data: cast };
    }
    case 'Reshape': {
      const known = shape.reduce((product, size) => product * (size < 0 ? 1 : size), 1);
      return { shape: shape.map((size) => (size < 0 ? data.length / known : size)), data };
    }
    case 'Transpose': {
      const before = x && constantOf(x)?.shape;
      return before && places && { shape, data: permute(data, before, [...places]) };
    }
    default:
      return undefined;
  }
}

function castTo(dtype: DType | undefined, data: Float32Array | Int32Array): Float32Array | Int32Array | undefined {
  if (dtype === 'float32') return Float32Array.from(data);
  if (dtype === 'int32') return Int32Array.from(data);
  return undefined;
}
