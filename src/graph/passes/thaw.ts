// Thawing: large constants become variables again. A graph as a message holds at most 2 GB, and TensorFlow copies constants
// more often than values that are fed.

import type { Tensor } from '../graph.js';
import { floatConstant, identity, placeholder } from '../ops/source.js';
import { ownCopy, Variable } from '../ops/state.js';
import type { Signature } from '../saved-model.js';
import { constantOf, floatsOf } from './constants.js';
import type { VariableValue } from './freeze.js';
import { rewrite } from './rewrite.js';

export interface Thawed<K extends string> {
  tensors: Record<K, Tensor>;
  /** To be run once, before anything else, with the values; undefined where there are none. */
  load: Signature | undefined;
  /** By the names of the inputs of `load`. */
  values: ReadonlyMap<string, VariableValue>;
}

/** `tensors` with every float32 constant of so many numbers or more in a variable. */
export function thaw<K extends string>(tensors: Readonly<Record<K, Tensor>>, leastNumbers: number): Thawed<K> {
  const values = new Map<string, VariableValue>();
  const thawed = rewrite(tensors, (node, _, graph) => {
    const [constant] = node.outputs;
    const data = constant && floatsOf(constant);
    if (!data || data.length < leastNumbers) return undefined;
    const { shape } = constantOf(constant) ?? { shape: [] };
    const name = `thawed_${values.size}`;
    values.set(name, { shape, data });
    return [new Variable(graph, name, 'float32', shape).read()];
  });
  const graph = Object.values<Tensor>(thawed)[0]?.graph;
  if (!graph || values.size === 0) return { tensors: thawed, load: undefined, values };
  // A variable is known by its name: this one is that of the pass, in the graph that the pass has left.
  const entries = [...values].map(([name, { shape }]) => {
    const value = placeholder(graph, `${name}/value`, 'float32', shape);
    return { name, value, assigned: new Variable(graph, name, 'float32', shape).assign(ownCopy(value)) };
  });
  const done = graph.after(
    entries.map(({ assigned }) => assigned),
    () => identity(floatConstant(graph, 1), 'thawed/done'),
  );
  const inputs = Object.fromEntries(entries.map(({ name, value }) => [name, value]));
  return { tensors: thawed, load: { inputs, outputs: { done } }, values };
}
