import type { EpochResult } from '../reporting/events.js';

export interface RunTotals {
  /** Of all epochs, training and validation. */
  seconds: number;
  /** Of training alone; undefined before the first epoch is over. */
  imagesPerSecond: number | undefined;
}

export function runTotals(epochs: readonly EpochResult[]): RunTotals {
  const total = (amountOf: (epoch: EpochResult) => number) => epochs.reduce((sum, epoch) => sum + amountOf(epoch), 0);
  const trainSeconds = total(({ train, imagesPerSecond }) => train.images / imagesPerSecond);
  return {
    seconds: total(({ seconds }) => seconds),
    imagesPerSecond: epochs.length > 0 ? total(({ train }) => train.images) / trainSeconds : undefined,
  };
}
