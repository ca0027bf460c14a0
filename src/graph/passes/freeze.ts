// Freezing: variables become constants, so that a graph holds all that it takes to compute it.

import type { Tensor } from '../graph.js';
import { addConstant } from './constants.js';
import { rewrite } from './rewrite.js';

export interface VariableValue {
  /** The variable's own. */
  shape: readonly number[];
  data: Float32Array;
}

/** `tensors` with every variable that they read replaced by its value. */
export function freeze<K extends string>(
  tensors: Readonly<Record<K, Tensor>>,
  weightOf: (variable: string) => VariableValue,
): Record<K, Tensor> {
  return rewrite(tensors, ({ op, name, attributes }, inputs, graph) => {
    if (op === 'ReadVariableOp') return inputs;
    if (op !== 'VarHandleOp') return undefined;
    const shared = attributes['shared_name'];
    if (!shared || !('string' in shared)) throw new Error(`internal: the variable ${name} has no name of its own`);
    return [addConstant(graph, name, weightOf(shared.string))];
  });
}
