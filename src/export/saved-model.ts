// A trained network as TensorFlow's SavedModel: one file of constants and standard ops, without variables.

import { encodeSavedModel } from '../graph/saved-model.js';
import type { TrainedNetwork } from '../inference/network.js';
import { exportGraph } from './export-graph.js';
import type { InputKind } from './network.js';

/** The name under which TensorFlow looks for what a model does. */
export const servingSignature = 'serving_default';

/**
 * The bytes of saved_model.pb, with the input `pixels` (uint8 [N, crop, crop, 3], or normalised float32 for `floats`) and
 * the output `probabilities` (float32 [N, classes]).
 */
export function exportSavedModel(network: TrainedNetwork, { input }: { input: InputKind }): Uint8Array {
  const { pixels, probabilities } = exportGraph(network, { input });
  return encodeSavedModel(pixels.graph, { [servingSignature]: { inputs: { pixels }, outputs: { probabilities } } });
}
