// What a trial's run has come to, by the description that it leaves in outputs/results.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { EpochResult } from '../reporting/events.js';
import { latestRunDescription } from '../reporting/find-run-description.js';
import type { RunDescription } from '../reporting/run-description.js';
import { bestEpoch } from '../training/best.js';
import type { Metric } from './definition.js';
import type { TrialAttributes } from './study.js';

/** Whether there are test images that the run's network can be measured on. */
export function hasTestImages(rootDir: string, run: string): boolean {
  const folder = latestRunDescription({ root_dir: rootDir, run_name: run })?.options['data_dir'];
  return typeof folder === 'string' && existsSync(join(folder, 'val'));
}

/** The metric in an epoch; undefined where it was not validated. */
export function metricOf({ validation }: EpochResult, metric: Metric): number | undefined {
  if (!validation) return undefined;
  const value = {
    val_loss: validation.loss,
    'val_precision@1': validation.precisionAt1,
    'val_precision@5': validation.precisionAt5,
  }[metric];
  return Number.isFinite(value) ? value : undefined;
}

/** What a run is worth, in its epoch with the lowest validation loss; undefined where none has one. */
export function worthOf(
  { epochs }: Pick<RunDescription, 'epochs'>,
  metric: Metric,
): { value: number; attributes: TrialAttributes } | undefined {
  const best = bestEpoch(epochs);
  const value = best && metricOf(best, metric);
  if (!best?.validation || value === undefined) return undefined;
  const { loss, precisionAt1, precisionAt5 } = best.validation;
  const measured = { val_loss: loss, 'val_precision@1': precisionAt1, 'val_precision@5': precisionAt5 };
  return { value, attributes: { epoch: best.epoch, ...measured } };
}
