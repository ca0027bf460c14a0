import type { Preprocessing } from '../data/preprocessing.js';
import type { StateDict } from '../weights/state-dict.js';

/** A trained network with all that it takes to use it. */
export interface TrainedNetwork {
  /** By torchvision's name. */
  model: string;
  /** In the order of the network's outputs. */
  classes: readonly string[];
  preprocessing: Preprocessing;
  weights: StateDict;
}
