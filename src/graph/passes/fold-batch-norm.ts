// Batch norm in inference is one multiplication and one addition a channel (Ioffe and Szegedy 2015, arXiv:1502.03167, §3.1).
// Behind a convolution both go into its filter and bias; elsewhere, as before a convolution, it stays as it is.

import type { Node, Tensor } from '../graph.js';
import { addBias } from '../ops/conv.js';
import { copyNode } from '../substitute.js';
import { addConstant, constantOf, floatsOf } from './constants.js';
import { countUses, rewrite } from './rewrite.js';

/** `tensors` with every batch norm in inference folded into the convolution before it, where nothing else uses that. */
export function foldBatchNorm<K extends string>(tensors: Readonly<Record<K, Tensor>>): Record<K, Tensor> {
  const uses = countUses(tensors);
  return rewrite(tensors, (node, inputs) => {
    const training = node.attributes['is_training'];
    if (node.op !== 'FusedBatchNormV3' || !training || !('bool' in training) || training.bool) return undefined;
    const [source] = node.inputs;
    const isOnly = source && uses.get(source) === 1;
    const before = isOnly && source.node.op === 'BiasAdd' ? source.node.inputs[0] : source;
    const [x] = inputs;
    return isOnly && before && uses.get(before) === 1 && x ? folded(node, x, inputs.slice(1)) : undefined;
  });
}

const convolutions: ReadonlySet<string> = new Set([
  'Conv2D',
  'DepthwiseConv2dNative',
  'DeepCnnWinograd',
  'DeepCnnGrouped',
]);

function folded(node: Node, x: Tensor, statistics: readonly Tensor[]): Tensor[] | undefined {
  const hasBias = x.node.op === 'BiasAdd';
  const convolution = hasBias ? x.node.inputs[0]?.node : x.node;
  const bias = hasBias && x.node.inputs[1] ? floatsOf(x.node.inputs[1]) : undefined;
  const [scale, offset, mean, variance] = statistics.map(floatsOf);
  const { epsilon } = node.attributes;
  if (!convolution || !convolutions.has(convolution.op) || (hasBias && !bias)) return undefined;
  const [images, filter] = convolution.inputs;
  const weights = filter && floatsOf(filter);
  if (!images || !weights || !scale || !offset || !mean || !variance || !epsilon || !('float' in epsilon)) {
    return undefined;
  }
  const channels = scale.length;
  const factors = Float64Array.from(scale, (value, c) => value / Math.sqrt((variance[c] ?? 0) + epsilon.float));
  // The last axis of a filter, or the last two of a depthwise one, count the channels that come out.
  const scaled = weights.map((value, index) => value * (factors[index % channels] ?? 0));
  const moved = offset.map((value, c) => value + ((bias?.[c] ?? 0) - (mean[c] ?? 0)) * (factors[c] ?? 0));
  const { graph } = images;
  const shape = constantOf(filter)?.shape ?? [];
  const foldedFilter = addConstant(graph, filter.node.name, { shape, data: scaled });
  const [y] = copyNode(convolution, [images, foldedFilter], graph).outputs;
  return y && [addBias(y, addConstant(graph, `${node.name}/bias`, { shape: [channels], data: moved }))];
}
