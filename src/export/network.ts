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

/** The same for formats that keep texts alone: what is none, as JSON. */
export function describeInTexts(network: TrainedNetwork, input: InputKind): Record<keyof NetworkDescription, string> {
  const { model, classes, preprocessing } = network;
  return { model, classes: JSON.stringify(classes), preprocessing: JSON.stringify(preprocessing), input };
}
