// A trained network in a graph: as its model builds it for evaluation, with its weights as constants.

import type { Tensor } from '../graph/graph.js';
import { cast } from '../graph/ops/array.js';
import { freeze, type VariableValue } from '../graph/passes/freeze.js';
import { permute } from '../graph/passes/permute.js';
import type { FloatType } from '../graph/types.js';
import { Module } from '../models/module.js';
import { ParameterStore, Reads } from '../models/parameters.js';
import { requireModel } from '../models/registry.js';
import type { TrainedNetwork } from './network.js';

export interface NetworkInGraph {
  /** Scores, float32 [N, classes]. */
  logits: Tensor;
  /** The same tensors in a graph of their own, in which the weights are constants. */
  freeze<K extends string>(tensors: Readonly<Record<K, Tensor>>): Record<K, Tensor>;
}

/** Adds the network to the graph of `images`: normalised, [N, crop, crop, 3]. */
export function addNetwork(
  network: TrainedNetwork,
  images: Tensor,
  { precision = 'float32' }: { precision?: FloatType } = {},
): NetworkInGraph {
  const parameters = new ParameterStore(images.graph);
  const module = new Module({ parameters, training: false, reads: new Reads(), statistics: [] });
  const scores = requireModel(network.model).build(module, cast(images, precision), network.classes.length);
  return { logits: cast(scores, 'float32'), freeze: (tensors) => freeze(tensors, valuesOf(parameters, network)) };
}

/** The weights as they lie in the graph. */
function valuesOf(parameters: ParameterStore, { weights }: TrainedNetwork): (name: string) => VariableValue {
  const byName = new Map(parameters.all.map((parameter) => [parameter.name, parameter]));
  return (name) => {
    const { permutation, shape } = byName.get(name) ?? {};
    const value = weights.get(name);
    if (!shape || !value) throw new Error(`internal: there are no weights for ${name}`);
    const data = permutation ? permute(value.data, value.shape, permutation) : value.data;
    return { shape, data };
  };
}
