import type { TrainedNetwork } from '../inference/network.js';

/** What goes in: pixel values of 0 to 255, as integers, or numbers that have been normalised already. */
export type InputKind = 'bytes' | 'floats';

/** What is stored with a network so that others can use it. */
export interface NetworkDescription extends Omit<TrainedNetwork, 'weights'> {
  input: InputKind;
}

export function describe({ model, classes, preprocessing }: TrainedNetwork, input: InputKind): NetworkDescription {
  return { model, classes, preprocessing, input };
}
