// What a network costs, counted on the graph that it builds.

import type { Node, Tensor } from '../graph/graph.js';
import { knownDimension, type Shape } from '../graph/types.js';
import type { Model } from './model.js';
import { structureOf } from './structure.js';

export interface ModelCost {
  /** Numbers that training changes. */
  parameters: number;
  /** Multiplications, each with its addition, in convolutions and linear layers, for one image's forward pass. */
  macs: number;
}

/** Counts a model's parameters and work. `crop`: side of the images in pixels, large enough for the network. */
export function modelCost(model: Model, { classes, crop }: { classes: number; crop: number }): ModelCost {
  const { graph, parameters } = structureOf(model, { classes, crop });
  return {
    parameters: parameters.trainable.reduce((total, { size }) => total + size, 0),
    macs: graph.nodes.reduce((total, node) => total + macsOf(node), 0),
  };
}

/** Every output of a layer takes one multiplication for each weight that leads to it. */
function macsOf({ op, inputs: [x, weights], outputs: [y] }: Node): number {
  if (!x || !weights || !y) return 0;
  switch (op) {
    case 'Conv2D':
      return perImage(y.shape) * perImage(weights.shape.slice(0, 3));
    case 'DepthwiseConv2dNative':
      return perImage(y.shape) * perImage(weights.shape.slice(0, 2));
    case 'MatMul':
      return inputsPerImage(x) * knownDimension(y.shape, 1);
    default:
      return 0;
  }
}

/** Numbers that a linear layer reads; one that works on every pixel has turned the pixels into rows before. */
function inputsPerImage(x: Tensor): number {
  const [image] = x.node.op === 'Reshape' ? x.node.inputs : [];
  return perImage((image ?? x).shape);
}

/** The number of elements, without the batch, which is the dimension whose size is not known. */
function perImage(shape: Shape): number {
  return shape.reduce<number>((product, length) => product * (length ?? 1), 1);
}
