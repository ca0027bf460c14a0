// Where the time of an epoch goes, by the events of its batches.

import type { TrainingEvent } from './events.js';

/** Seconds. Of an epoch that was resumed, what came after. */
export interface EpochTiming {
  /** Counts from 1. */
  epoch: number;
  /** Training steps without the wait before them. */
  steps: number;
  /** For images that were not decoded yet when a training step could have begun. */
  waiting: number;
  /** All of it, its own waiting included. */
  validation: number;
}

const nothing = { steps: 0, waiting: 0, validation: 0 };

/** Adds up the epoch in progress. */
export class EpochClock {
  #sums = { ...nothing };

  note(event: TrainingEvent): void {
    if (event.kind === 'epoch-start') this.#sums = { ...nothing };
    else if (event.kind === 'step') {
      this.#sums.steps += (event.elapsedMs - event.waitMs) / 1000;
      this.#sums.waiting += event.waitMs / 1000;
    } else if (event.kind === 'evaluation-step') this.#sums.validation += event.elapsedMs / 1000;
  }

  /** Undefined where nothing was heard of its steps. */
  timingOf(epoch: number): EpochTiming | undefined {
    return this.#sums.steps > 0 ? { epoch, ...this.#sums } : undefined;
  }
}
