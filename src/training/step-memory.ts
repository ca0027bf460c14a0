// How much memory a training step will take, roughly, known before it has run.

import type { Tensor } from '../graph/graph.js';
import { nodesBefore } from '../graph/substitute.js';
import { dtypeBytes } from '../graph/types.js';

/** On top of what a step keeps: what comes and goes in its backward pass, and gaps. Measured on four networks. */
export const passingShare = 0.25;

/** Bytes that are computed of each image on the way to `loss` and needed again on the way to its `gradients`. */
export function bytesPerImage(loss: Tensor, gradients: Iterable<Tensor>): number {
  const forward = nodesBefore([loss]);
  const backward = [...nodesBefore(gradients)].filter((node) => !forward.has(node) && node.op !== 'Shape');
  const kept = new Set(backward.flatMap(({ inputs }) => inputs.filter(({ node }) => forward.has(node))));
  return [...kept].reduce((total, { dtype, shape: [images, ...shape] }) => {
    if (images !== null) return total;
    return total + shape.reduce<number>((bytes, length) => bytes * (length ?? 1), dtypeBytes[dtype]);
  }, 0);
}

/** Values that are kept of `trained` weights: themselves, their gradients, and the optimizer's slots. */
export function bytesOfWeights(trained: readonly { size: number }[], slotKinds: number): number {
  return trained.reduce((total, { size }) => total + size, 0) * dtypeBytes.float32 * (2 + slotKinds);
}
