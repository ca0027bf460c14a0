// Filters whose channels all reach from -1 to 1, multiplied by what each channel reached before: then one scale for a whole
// filter, as TensorFlow.js stores 8-bit weights, is as good as one for each channel (Krishnamoorthi 2018, arXiv:1806.08342).

import type { Tensor } from '../graph.js';
import { mul } from '../ops/math.js';
import { copyNode } from '../substitute.js';
import { addConstant, constantOf, floatsOf } from './constants.js';
import { rewrite } from './rewrite.js';

const products: ReadonlySet<string> = new Set(['Conv2D', '_FusedConv2D', 'MatMul', '_FusedMatMul']);

/** The first convolution's filter is small, and so are depthwise ones, and both are sensitive. */
const imageChannels = 3;

/** `tensors` with each constant filter of a convolution, and each constant matrix, made so; not those of depthwise ones. */
export function normaliseFilters<K extends string>(tensors: Readonly<Record<K, Tensor>>): Record<K, Tensor> {
  return rewrite(tensors, (node, inputs, graph) => {
    const [x, filter, ...more] = inputs;
    if (!x || !filter || !products.has(node.op)) return undefined;
    if (filter.shape.length === 4 && filter.shape[2] === imageChannels) return undefined;
    const scaled = normalised(filter);
    return scaled && copyNode(node, [x, scaled, ...more], graph).outputs;
  });
}

/** Channels lie along the last axis. */
function normalised(filter: Tensor): Tensor | undefined {
  const weights = floatsOf(filter);
  if (!weights) return undefined;
  const shape = constantOf(filter)?.shape ?? [];
  const channels = shape.at(-1) ?? 1;
  const reach = new Float32Array(channels);
  for (const [index, value] of weights.entries()) {
    const channel = index % channels;
    reach[channel] = Math.max(reach[channel] ?? 0, Math.abs(value));
  }
  // A channel of zeros stays one.
  const scale = reach.map((value) => value || 1);
  const data = weights.map((value, index) => value / (scale[index % channels] ?? 1));
  const { graph } = filter;
  const { name } = filter.node;
  return mul(
    addConstant(graph, `${name}/normalised`, { shape, data }),
    addConstant(graph, `${name}/scale`, { shape: [channels], data: scale }),
  );
}
