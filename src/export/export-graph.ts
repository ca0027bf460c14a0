// A trained network as a graph of constants and standard ops, small and fast: what all formats but safetensors start from.

import { Graph, type Tensor } from '../graph/graph.js';
import { exp } from '../graph/ops/activation.js';
import { logSoftmax } from '../graph/ops/loss.js';
import { identity, placeholder } from '../graph/ops/source.js';
import { foldBatchNorm } from '../graph/passes/fold-batch-norm.js';
import { foldConstants } from '../graph/passes/fold-constants.js';
import type { TrainedNetwork } from '../inference/network.js';
import { addNetwork } from '../inference/network-graph.js';
import { normalised } from '../models/image-input.js';
import type { InputKind } from './network.js';

export interface ExportGraphOptions {
  input: InputKind;
  /** The type of bytes; TensorFlow.js knows no smaller one than int32. */
  byteType?: 'uint8' | 'int32';
}

/** `pixels`: [N, crop, crop, 3], red, green, blue. `probabilities`: float32 [N, classes]. */
export type ExportGraph = Record<'pixels' | 'probabilities', Tensor>;

/** The network without batch norms behind convolutions, and with nothing left that can be computed beforehand. */
export function exportGraph(network: TrainedNetwork, { input, byteType = 'uint8' }: ExportGraphOptions): ExportGraph {
  const { preprocessing } = network;
  const graph = new Graph();
  const { crop } = preprocessing;
  const pixels = placeholder(graph, 'pixels', input === 'floats' ? 'float32' : byteType, [null, crop, crop, 3]);
  const images = input === 'floats' ? pixels : graph.scope('input', () => normalised(pixels, preprocessing));
  const { logits, freeze } = addNetwork(network, images);
  const probabilities = identity(exp(logSoftmax(logits)), 'probabilities');
  return foldBatchNorm(foldConstants(freeze({ pixels, probabilities })));
}
