// Where a run's weights come from at its start.

import { factsOf } from '../models/facts.js';
import type { TrainConfig } from '../options.js';
import type { Report } from '../reporting/events.js';
import { fitWeights } from '../weights/fit-weights.js';
import { type FoundWeights, findPretrained, findWeights } from '../weights/sources.js';
import type { StateDict } from '../weights/state-dict.js';
import { readWeightsFile } from '../weights/weights-file.js';
import type { Steps } from './steps.js';

/**
 * Finds the file that the options ask for, and downloads it where need be; undefined where the weights are to be random.
 * Throws a `UserError` when it can't be had.
 */
export async function findInitialWeights({
  pretrained,
  weights,
  model,
}: Pick<TrainConfig, 'pretrained' | 'weights' | 'model'>): Promise<FoundWeights | undefined> {
  if (weights !== undefined) return findWeights(weights);
  return pretrained ? findPretrained(model, factsOf(model)) : undefined;
}

/**
 * Sets a file's weights, or random ones where there is no file, and reports which. A file's head is drawn anew where its
 * number of classes differs. Throws a `UserError` when the file can't be read or is another model's.
 */
export async function setInitialWeights(
  steps: Steps,
  head: string,
  { found, seed, report }: { found: FoundWeights | undefined; seed: number; report: Report },
): Promise<void> {
  steps.drawWeights(seed);
  const replacedHead = found !== undefined && (await loadFile(steps, head, found));
  report({ kind: 'weights', source: found?.source, newLayer: replacedHead ? head : undefined });
}

/** Whether the head was drawn anew. */
async function loadFile(steps: Steps, head: string, found: FoundWeights): Promise<boolean> {
  const file = await readWeightsFile(found.path);
  const place = { head, source: found.path };
  const { weights, replacedHead } = fitWeights(steps.parameters, file.weights, place);
  const drawn = replacedHead ? steps.readWeights() : new Map();
  const all: StateDict = new Map([...drawn, ...weights]);
  steps.loadWeights(all);
  return replacedHead;
}
