// Reverse-mode differentiation: one walk from the loss back to the tensors whose gradients are wanted.
// Each op's rule stands beside the op; sums over several uses and over broadcast axes are made here, once.

import type { Node, Tensor } from './graph.js';
import { reshape } from './ops/array.js';
import { add, sum } from './ops/math.js';
import { floatConstant } from './ops/source.js';
import { formatShape, type Shape, sameShape } from './types.js';

/**
 * The gradients of a scalar with respect to `targets`, in their order. Throws where a target does not reach `loss`,
 * or where a rule's gradient has the wrong type or shape.
 */
export function gradients(loss: Tensor, targets: readonly Tensor[]): Tensor[] {
  if (loss.shape.length !== 0) throw new Error(`internal: only a scalar has a gradient, not ${loss}`);
  const { graph } = loss;
  const nodes = [...graph.nodes];
  const dependent = dependents(nodes, targets);
  const gathered = new Map<Tensor, Tensor[]>([[loss, [floatConstant(graph, 1)]]]);
  const total = (tensor: Tensor): Tensor | undefined => {
    const parts = gathered.get(tensor);
    return parts?.reduce((left, right) => add(left, right));
  };

  const found = new Map<Tensor, Tensor | undefined>();
  const wantedTargets = new Set(targets);
  for (const node of nodes.reverse()) {
    const upstream = node.outputs.map((tensor) => total(tensor));
    node.outputs.forEach((tensor, index) => {
      if (wantedTargets.has(tensor)) found.set(tensor, upstream[index]);
      gathered.delete(tensor);
    });
    if (upstream.every((gradient) => gradient === undefined)) continue;
    const wanted = node.inputs.map((input) => dependent.has(input));
    if (!wanted.includes(true) || node.backward === 'constant') continue;

    const downstream = graph.scope('gradients', () => backward(node, upstream, wanted));
    node.inputs.forEach((input, index) => {
      const gradient = downstream[index];
      if (!wanted[index] || !gradient) return;
      const fitted = graph.scope('gradients', () => fit(gradient, input, node, index));
      gathered.set(input, [...(gathered.get(input) ?? []), fitted]);
    });
  }
  return targets.map((target) => {
    const gradient = found.get(target);
    if (!gradient) throw new Error(`internal: ${loss} does not depend on ${target}`);
    return gradient;
  });
}

/** The tensors that depend on any of `targets`, themselves included. */
function dependents(nodes: readonly Node[], targets: readonly Tensor[]): Set<Tensor> {
  const dependent = new Set(targets);
  for (const node of nodes) {
    if (node.backward === 'constant') continue;
    if (node.inputs.some((input) => dependent.has(input))) for (const made of node.outputs) dependent.add(made);
  }
  return dependent;
}

function backward(node: Node, upstream: readonly (Tensor | undefined)[], wanted: readonly boolean[]) {
  if (typeof node.backward === 'string') throw new Error(`internal: ${node.op} ${node.name} can't be differentiated`);
  return node.backward(upstream, wanted);
}

/** Checks a rule's gradient, and sums it over the axes along which its input was broadcast. */
function fit(gradient: Tensor, input: Tensor, node: Node, index: number): Tensor {
  if (gradient.dtype !== input.dtype) {
    throw new Error(`internal: ${node.op}'s gradient for input ${index} is ${gradient.dtype}, not ${input.dtype}`);
  }
  if (sameShape(gradient.shape, input.shape)) return gradient;
  const axes = broadcastAxes(input.shape, gradient.shape);
  if (!axes) {
    const shapes = `${formatShape(gradient.shape)}, not ${formatShape(input.shape)}`;
    throw new Error(`internal: ${node.op}'s gradient for input ${index} has shape ${shapes}`);
  }
  const summed = sum(gradient, axes);
  return sameShape(summed.shape, input.shape) ? summed : reshape(summed, input.shape);
}

/** The axes of `wide` along which `narrow` was repeated, or nothing where it can't have been. */
function broadcastAxes(narrow: Shape, wide: Shape): number[] | undefined {
  const added = wide.length - narrow.length;
  if (added < 0) return undefined;
  const axes: number[] = [];
  for (const [axis, length] of wide.entries()) {
    const before = narrow[axis - added];
    if (axis < added || (before === 1 && length !== 1)) axes.push(axis);
    else if (before !== length) return undefined;
  }
  return axes;
}
