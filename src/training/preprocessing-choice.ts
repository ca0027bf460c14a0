import { type Preprocessing, preprocessings } from '../data/preprocessing.js';
import { factsOf } from '../models/facts.js';
import type { TrainConfig } from '../options.js';

/**
 * How images are prepared for a model of the registry. `auto`: as for the model's published weights (size, crop, filter,
 * mean, std); everything else is the same for every model.
 */
export function preprocessingFor(pre: TrainConfig['pre'], model: string): Preprocessing {
  if (pre !== 'auto') return preprocessings[pre];
  const { resize, crop, interpolation, mean, std } = factsOf(model);
  return { resize, crop, interpolation, mean, std };
}
