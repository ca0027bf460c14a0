// Where a run is: everything but the tensors that it takes to go on at the very step.

import { isDeepStrictEqual } from 'node:util';
import type { EpochResult } from '../../reporting/events.js';
import type { MetricSums } from '../metrics.js';
import type { StepCounters } from '../steps.js';
import { fromJson, toJson } from './json.js';

export interface RunState {
  counters: StepCounters;
  /** Epochs that are over: the one in progress, counted from 0. */
  epoch: number;
  /**
   * Batches of it that are trained. Order, augmentation and mixing of the rest follow from the seed, the epoch and this
   * number.
   */
  batch: number;
  /** Of those batches. */
  sums: MetricSums;
  /** Time spent on the epoch in progress, and on all training. */
  epochSeconds: number;
  seconds: number;
  /** One for each epoch that is over. */
  history: readonly EpochResult[];
  badImages: readonly { path: string; reason: string }[];
  /** Whether no epoch is left to train. */
  isComplete: boolean;
}

/** The state as text: numbers come back bit for bit, those that are not finite included. */
export function encodeState(state: RunState): string {
  return toJson(state);
}

/** Throws an `Error` where the text was not written by `encodeState` of this version. */
export function decodeState(text: string): RunState {
  const state = fromJson(text) as RunState;
  const { counters, epoch, batch, history } = state;
  const isSound =
    [epoch, batch, counters?.step].every((count) => Number.isSafeInteger(count) && count >= 0) &&
    Array.isArray(history) &&
    history.length === epoch &&
    isDeepStrictEqual(
      history.map((result) => result.epoch),
      history.map((_, index) => index + 1),
    );
  if (!isSound) throw new Error('a state that contradicts itself');
  return state;
}
