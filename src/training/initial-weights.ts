// Where a run's weights come from at its start.

import { UserError } from '../errors.js';
import type { TrainConfig } from '../options.js';
import { fitWeights, type StateDict } from '../weights/state-dict.js';
import { readWeightsFile } from '../weights/weights-file.js';
import type { Steps } from './steps.js';

export type WeightsConfig = Pick<TrainConfig, 'pretrained' | 'weights' | 'seed' | 'model'>;

/** Throws a `UserError` where the options ask for weights that can't be had; costs nothing. */
export function requireWeightsSource({ pretrained, weights }: WeightsConfig): void {
  if (!pretrained || weights !== undefined) return;
  throw new UserError('Pretrained ImageNet weights are not part of this version yet', {
    mend: 'Train from random weights with --pretrained=False, or start from a file with --weights=FILE.safetensors',
  });
}

/**
 * Sets the weights that the options ask for: a file's, or random ones. A file's head is drawn anew where its number of
 * classes differs; returns whether it was.
 */
export async function setInitialWeights(
  steps: Steps,
  head: string,
  { weights: path, seed }: WeightsConfig,
): Promise<{ replacedHead: boolean }> {
  steps.drawWeights(seed);
  if (path === undefined) return { replacedHead: false };
  const file = await readWeightsFile(path);
  const { weights, replacedHead } = fitWeights(steps.parameters, file.weights, { head, source: path });
  const drawn = replacedHead ? steps.readWeights() : new Map();
  const all: StateDict = new Map([...drawn, ...weights]);
  steps.loadWeights(all);
  return { replacedHead };
}
