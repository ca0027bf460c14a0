// A trained network as a graph of constants and standard ops, small and fast: what all formats but safetensors start from.

import { Graph, type Tensor } from '../graph/graph.js';
import { exp } from '../graph/ops/activation.js';
import { logSoftmax } from '../graph/ops/loss.js';
import { identity, placeholder } from '../graph/ops/source.js';
import { foldBatchNorm } from '../graph/passes/fold-batch-norm.js';
import { foldConstants } from '../graph/passes/fold-constants.js';
import { freeze, type VariableValue } from '../graph/passes/freeze.js';
import { permute } from '../graph/passes/permute.js';
import { normalised } from '../models/image-input.js';
import { Module } from '../models/module.js';
import { ParameterStore } from '../models/parameters.js';
import { requireModel } from '../models/registry.js';
import type { ExportedNetwork, InputKind } from './network.js';

export interface ExportGraphOptions {
  input: InputKind;
  /** The type of bytes; TensorFlow.js knows no smaller one than int32. */
  byteType?: 'uint8' | 'int32';
}

/** `pixels`: [N, crop, crop, 3], red, green, blue. `probabilities`: float32 [N, classes]. */
export type ExportGraph = Record<'pixels' | 'probabilities', Tensor>;

/** The network without batch norms behind convolutions, and with nothing left that can be computed beforehand. */
export function exportGraph(network: ExportedNetwork, options: ExportGraphOptions): ExportGraph {
  return foldBatchNorm(foldConstants(frozenGraph(network, options)));
}

/** The network as its model builds it, with its weights as constants. */
export function frozenGraph(network: ExportedNetwork, { input, byteType = 'uint8' }: ExportGraphOptions): ExportGraph {
  const { model, preprocessing, classes } = network;
  const graph = new Graph();
  const { crop } = preprocessing;
  const pixels = placeholder(graph, 'pixels', input === 'floats' ? 'float32' : byteType, [null, crop, crop, 3]);
  const images = input === 'floats' ? pixels : graph.scope('input', () => normalised(pixels, preprocessing));
  const parameters = new ParameterStore(graph);
  const module = new Module({ parameters, training: false, reads: new Map(), statistics: [] });
  const logits = requireModel(model).build(module, images, classes.length);
  const probabilities = identity(exp(logSoftmax(logits)), 'probabilities');
  const values = valuesOf(parameters, network);
  return freeze({ pixels, probabilities }, values);
}

/** The weights as they lie in the graph. */
function valuesOf(parameters: ParameterStore, { weights }: ExportedNetwork): (name: string) => VariableValue {
  const byName = new Map(parameters.all.map((parameter) => [parameter.name, parameter]));
  return (name) => {
    const { permutation, variable } = byName.get(name) ?? {};
    const value = weights.get(name);
    if (!variable || !value) throw new Error(`internal: there are no weights for ${name}`);
    const data = permutation ? permute(value.data, value.shape, permutation) : value.data;
    return { shape: variable.shape, data };
  };
}
