// Made-up runs for the tests of W&B.
import assert from 'node:assert/strict';
import type { EpochResult, TrainingEvent } from '#src/reporting/events.js';
import { epochEnd, epochStart, metrics } from './run.js';

/** As a run has it, only in less time. */
export const impatience = { requestMs: 1_000, backoffMs: 20, longestWaitMs: 50, attempts: Number.POSITIVE_INFINITY };

export function resultOf(epoch: number, loss = 1 / epoch): EpochResult {
  const event = epochEnd(epoch, metrics(2));
  assert.ok(event.kind === 'epoch-end');
  return { ...event.result, train: metrics(loss) };
}

/** Counts from 1. */
export function epoch(number: number, loss?: number): TrainingEvent[] {
  return [epochStart(number - 1, 2), { kind: 'epoch-end', result: resultOf(number, loss) }];
}

export function resumed(history: EpochResult[]): TrainingEvent {
  const { length } = history;
  return { kind: 'resumed', path: 'last.safetensors', epoch: length, step: 2 * length, history };
}

export const tested: TrainingEvent = { kind: 'tested', seconds: 1, metrics: metrics(1.5) };
export const finished: TrainingEvent = {
  kind: 'finished',
  train: metrics(1),
  validation: undefined,
  test: metrics(1.5),
};
export const stopped: TrainingEvent = {
  kind: 'stopped',
  reason: 'SIGTERM',
  step: 4,
  path: 'last',
  command: 'deep-cnn',
};
