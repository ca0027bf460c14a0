// Ways through a finished graph: what depends on what, and the same computation over again from another tensor.

import type { Node, Tensor } from './graph.js';

/** The nodes that need any of `tensors`, whether by their value or only to come after them. */
export function nodesAfter(tensors: Iterable<Tensor>): Set<Node> {
  const from = new Set(tensors);
  const [first] = from;
  const found = new Set<Node>();
  for (const node of first?.graph.nodes ?? []) {
    const needs = node.inputs.some((input) => from.has(input) || found.has(input.node));
    if (needs || node.controls.some((control) => found.has(control))) found.add(node);
  }
  return found;
}

/** The nodes that must run for `tensors`, their own included. */
export function nodesBefore(tensors: Iterable<Tensor>): Set<Node> {
  const found = new Set<Node>();
  const waiting = Array.from(tensors, ({ node }) => node);
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    waiting.push(...node.inputs.map((input) => input.node), ...node.controls);
  }
  return found;
}

/**
 * `outputs` once more, computed from `by` where they were computed from `original`: every node in between is made a
 * second time, and all others are shared. Both tensors are of the same type and shape.
 */
export function substitute<K extends string>(
  outputs: Readonly<Record<K, Tensor>>,
  original: Tensor,
  by: Tensor,
): Record<K, Tensor> {
  const { graph } = original;
  const wanted = nodesBefore(Object.values<Tensor>(outputs));
  const between = [...nodesAfter([original])].filter((node) => wanted.has(node));
  const copies = new Map<Node, Node>();
  const tensorFor = (tensor: Tensor): Tensor => {
    if (tensor === original) return by;
    return copies.get(tensor.node)?.outputs[tensor.index] ?? tensor;
  };
  for (const node of between) {
    const { op, name, attributes, outputs, controls } = node;
    const inputs = node.inputs.map(tensorFor);
    const copiedControls = controls.map((control) => copies.get(control) ?? control);
    // Outputs are differentiated before, or not at all.
    const copy = graph.after(copiedControls, () =>
      graph.add({ op, name, inputs, attributes, outputs, backward: () => 'final' }),
    );
    copies.set(node, copy);
  }
  return Object.fromEntries(
    Object.entries<Tensor>(outputs).map(([name, tensor]) => [name, tensorFor(tensor)]),
  ) as Record<K, Tensor>;
}
