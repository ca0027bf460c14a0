// The trained network as a file that explains itself: weights under torchvision's names, and everything that is needed
// to use them again.

import type { Preprocessing } from '../data/preprocessing.js';
import type { TrainConfig } from '../options.js';
import type { EpochResult } from '../reporting/events.js';
import { version } from '../version.js';
import { writeSafetensors } from '../weights/safetensors.js';
import type { StateDict } from '../weights/state-dict.js';

export interface ModelFacts {
  config: TrainConfig;
  /** In the order of the network's outputs. */
  classes: readonly string[];
  preprocessing: Preprocessing;
  /** Of the last epoch that is over, if one is. */
  result: EpochResult | undefined;
  tensorflowVersion: string;
}

/** Metadata of a file with the network's weights. */
export function modelMetadata({ config, classes, preprocessing, result, tensorflowVersion }: ModelFacts) {
  return {
    // What Hugging Face's and PyTorch's readers look for.
    format: 'pt',
    model: config.model,
    classes: JSON.stringify(classes),
    preprocessing: JSON.stringify(preprocessing),
    options: JSON.stringify(config),
    epoch: String(result?.epoch ?? 0),
    metrics: JSON.stringify({ train: result?.train, validation: result?.validation }),
    versions: JSON.stringify({ 'deep-cnn': version, tensorflow: tensorflowVersion, node: process.versions.node }),
  };
}

/** Writes a network as safetensors, whole or not at all. */
export async function saveModel(path: string, weights: StateDict, facts: ModelFacts): Promise<void> {
  await writeSafetensors(path, { weights, metadata: modelMetadata(facts) });
}
