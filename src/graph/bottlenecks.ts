// Where a computation is narrow: the tensors through which all that is made of an input passes.

import type { Node, Tensor } from './graph.js';
import { nodesAfter, nodesBefore } from './substitute.js';

/**
 * The tensors through which every way from `input` to `output` leads, in order, both of them left out. That a tensor's
 * shape is asked for is no way: it says nothing of its values.
 */
export function bottlenecks(input: Tensor, output: Tensor): Tensor[] {
  const needed = nodesBefore([output]);
  const nodes = [...nodesAfter([input])].filter((node) => needed.has(node) && node.op !== 'Shape');
  const positions = new Map(nodes.map((node, index) => [node, index]));
  const lastUses = lastUsesOf(nodes);
  const found: Tensor[] = [];
  /** The last use of anything made so far. */
  let latest = lastUses.get(input) ?? 0;
  for (const node of nodes) {
    const used = node.outputs.filter((tensor) => lastUses.has(tensor));
    const [only] = used;
    const isAlone = latest <= (positions.get(node) ?? 0);
    if (isAlone && used.length === 1 && only && only !== output) found.push(only);
    for (const tensor of used) latest = Math.max(latest, lastUses.get(tensor) ?? 0);
  }
  return found;
}

/** The position of the last of `nodes` that uses a tensor. */
function lastUsesOf(nodes: readonly Node[]): ReadonlyMap<Tensor, number> {
  return new Map(nodes.flatMap((node, index) => node.inputs.map((tensor) => [tensor, index] as const)));
}
