// What all passes share: a graph made over again, node by node, with some nodes replaced.

import { Graph, type Node, type Tensor } from '../graph.js';
import { copyNode, nodesBefore } from '../substitute.js';

/**
 * What takes the place of a node in the new graph: its outputs, in order (those that nothing uses may be left out), or
 * undefined for the node as it is. `inputs` are the node's inputs in the new graph.
 */
export type RewriteRule = (node: Node, inputs: readonly Tensor[], graph: Graph) => readonly Tensor[] | undefined;

/**
 * `tensors` in a new graph that holds nothing but what they need. Inputs that must stay, used or not, belong among them.
 * Throws `internal:` where a node has to run after others for another reason than their values.
 */
export function rewrite<K extends string>(tensors: Readonly<Record<K, Tensor>>, rule?: RewriteRule): Record<K, Tensor> {
  // What was replaced is needed no longer.
  return copied(rule ? copied(tensors, rule) : tensors, () => undefined);
}

function copied<K extends string>(tensors: Readonly<Record<K, Tensor>>, rule: RewriteRule): Record<K, Tensor> {
  const wanted = Object.values<Tensor>(tensors);
  const needed = nodesBefore(wanted);
  const graph = new Graph();
  const made = new Map<Tensor, Tensor>();
  const madeFor = (tensor: Tensor): Tensor => {
    const found = made.get(tensor);
    if (!found) throw new Error(`internal: a pass left out ${tensor}, which is used`);
    return found;
  };
  for (const node of wanted[0]?.graph.nodes ?? []) {
    if (!needed.has(node)) continue;
    if (node.controls.length > 0) throw new Error(`internal: ${node.name} is not determined by its inputs alone`);
    const inputs = node.inputs.map(madeFor);
    const outputs = rule(node, inputs, graph) ?? copyNode(node, inputs, graph).outputs;
    for (const [index, tensor] of node.outputs.entries()) {
      const output = outputs[index];
      if (output) made.set(tensor, output);
    }
  }
  return Object.fromEntries(Object.entries<Tensor>(tensors).map(([name, tensor]) => [name, madeFor(tensor)])) as Record<
    K,
    Tensor
  >;
}

/** How many nodes use each tensor, counting a place among `tensors` as a use. */
export function countUses(tensors: Readonly<Record<string, Tensor>>): ReadonlyMap<Tensor, number> {
  const uses = new Map<Tensor, number>();
  const wanted = Object.values(tensors);
  const note = (tensor: Tensor) => uses.set(tensor, (uses.get(tensor) ?? 0) + 1);
  wanted.forEach(note);
  for (const { inputs } of nodesBefore(wanted)) inputs.forEach(note);
  return uses;
}
