// Which epoch is the best: the first with the lowest validation loss.

import type { EpochResult } from '../reporting/events.js';

/** Undefined where no epoch was validated with a loss that is a number. */
export function bestEpoch(history: readonly EpochResult[]): EpochResult | undefined {
  const lossOf = ({ validation }: EpochResult) => validation?.loss ?? Number.NaN;
  let best: EpochResult | undefined;
  for (const result of history) {
    if (lossOf(result) < (best ? lossOf(best) : Number.POSITIVE_INFINITY)) best = result;
  }
  return best;
}

/** Whether the loss has not fallen for `patience` epochs; never with a patience of 0. */
export function isOutOfPatience(history: readonly EpochResult[], patience: number): boolean {
  return patience > 0 && history.length - (bestEpoch(history)?.epoch ?? 0) >= patience;
}
