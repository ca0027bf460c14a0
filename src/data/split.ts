// The original program's split of the training folder: torch.utils.data.random_split with a fixed seed.

import { MersenneTwister, randperm } from './random.js';

/** The seed of the original's split. It stays fixed whatever `--seed` says, so that results compare between runs. */
const splitSeed = 42;

export interface Split {
  /** Indices of the images to train on, in the order drawn. */
  train: Uint32Array;
  validation: Uint32Array;
}

/**
 * Divides 0 .. count - 1 at random: `valSplit` (0 <= valSplit < 1) of them, rounded up, for validation, the rest for
 * training. The same numbers always give the same split.
 */
export function splitTrainValidation(count: number, valSplit: number, seed = splitSeed): Split {
  const permutation = randperm(count, new MersenneTwister(seed));
  const trainCount = trainSize(count, valSplit);
  return { train: permutation.slice(0, trainCount), validation: permutation.slice(trainCount) };
}

/** How many of `count` images are for training: floor((1 - valSplit) * count). */
export function trainSize(count: number, valSplit: number): number {
  // (1 - 0.9) * 10 is 0.9999999999999998: what lies that near below a whole number is that number.
  const dust = 1e-6;
  return Math.floor((1 - valSplit) * count + dust);
}
