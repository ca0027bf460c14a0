// What is exported: a trained network with all that it takes to use it.

import type { Preprocessing } from '../data/preprocessing.js';
import type { StateDict } from '../weights/state-dict.js';

export interface ExportedNetwork {
  /** By torchvision's name. */
  model: string;
  /** In the order of the network's outputs. */
  classes: readonly string[];
  preprocessing: Preprocessing;
  weights: StateDict;
}

/** What goes in: pixel values of 0 to 255, as integers, or numbers that have been normalised already. */
export type InputKind = 'bytes' | 'floats';

/** What is stored with a network so that others can use it. */
export function describe({ model, classes, preprocessing }: ExportedNetwork, input: InputKind) {
  return { model, classes, preprocessing, input };
}
