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
