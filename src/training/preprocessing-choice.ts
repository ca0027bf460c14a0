import { type Preprocessing, preprocessings } from '../data/preprocessing.js';
import { publishedPreprocessing } from '../models/facts.js';
import type { TrainConfig } from '../options.js';

/**
 * How images are prepared for a model of the registry. `auto`: as for the model's published weights (size, crop, filter,
 * mean, std); everything else is the same for every model.
 */
export function preprocessingFor(pre: TrainConfig['pre'], model: string): Preprocessing {
  return pre === 'auto' ? publishedPreprocessing(model) : preprocessings[pre];
}
