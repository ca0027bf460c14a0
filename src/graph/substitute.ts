// Ways through a finished graph: what depends on what, which computation it is, and the same over again from another
// tensor.

import { createHash } from 'node:crypto';
import type { Graph, Node, Tensor } from './graph.js';

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
 * Stands for the computation of `tensors`, whatever their nodes' names: it differs where an op, a constant, a type or
 * shape, or the name of a variable does.
 */
export function digestOf(tensors: Iterable<Tensor>): string {
  const all = [...tensors];
  const before = nodesBefore(all);
  const numbers = new Map<Node, number>();
  const numberOf = ({ node, index }: Tensor) => `${numbers.get(node)}:${index}`;
  const hash = createHash('sha256');
  for (const node of all[0]?.graph.nodes ?? []) {
    if (!before.has(node)) continue;
    const { op, inputs, controls, attributes } = node;
    const bytes = (_: string, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
    const about = [op, inputs.map(numberOf), controls.map((control) => numbers.get(control)), attributes];
    hash.update(`${JSON.stringify(about, bytes)}\n`);
    numbers.set(node, numbers.size);
  }
  return hash.update(all.map(numberOf).join()).digest('hex');
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
    const inputs = node.inputs.map(tensorFor);
    const copiedControls = node.controls.map((control) => copies.get(control) ?? control);
    copies.set(
      node,
      graph.after(copiedControls, () => copyNode(node, inputs, graph)),
    );
  }
  return Object.fromEntries(
    Object.entries<Tensor>(outputs).map(([name, tensor]) => [name, tensorFor(tensor)]),
  ) as Record<K, Tensor>;
}

/** The same node with other inputs, on the same device. It is no longer there to be differentiated. */
export function copyNode(node: Node, inputs: readonly Tensor[], graph: Graph): Node {
  const { op, name, attributes, outputs, device } = node;
  return graph.on(device, () => graph.add({ op, name, inputs, attributes, outputs, backward: () => 'final' }));
}
