// The images of a program through a classifier.

import type { Classifier } from '../inference/classifier.js';
import { type ClassifyOptions, classifyPaths } from '../inference/classify-images.js';
import { imagePaths, requireImagePaths } from '../inference/image-paths.js';
import { createPredictor, type Prediction } from '../inference/predictions.js';

interface PredictionPlan extends Omit<ClassifyOptions, 'explain'> {
  classifier: Classifier;
  classes: readonly string[];
  topK: number;
}

/** What is seen in the files and folders, in their order. Throws a `UserError` for one that is not there. */
export async function* predictions(
  { classifier, classes, topK, ...options }: PredictionPlan,
  named: readonly string[],
): AsyncGenerator<Prediction, void, void> {
  await requireImagePaths(named);
  const predictionOf = createPredictor(classes, topK);
  for await (const results of classifyPaths(classifier, imagePaths(named, noList), options)) {
    for (const result of results) yield predictionOf(result);
  }
}

/** Programs have no list on standard input. */
async function* noList(): AsyncGenerator<Buffer, void, void> {}
