// How long to wait for a server, and how often to come back.

import { TransientFailure } from './download-failure.js';
import { say } from './download-progress.js';

export interface Patience {
  /** Until a connection stands. */
  connectMs: number;
  /** Between two signs of life. */
  silenceMs: number;
  /** How often in a row something is tried again. */
  retries: number;
  /** Before the first retry; each further one waits twice as long. */
  backoffMs: number;
  /** The longest that a server may ask to be left alone. */
  longestWaitMs: number;
}

export const defaultPatience: Patience = {
  connectMs: 10_000,
  silenceMs: 30_000,
  retries: 5,
  backoffMs: 1_000,
  longestWaitMs: 120_000,
};

/** How often a machine that seems to have no internet is asked again. */
const unreachableRetries = 1;

/**
 * Decides what follows a failure, the `count`th in a row: throws it where it is final, else returns how long to wait
 * before trying again.
 */
function waitAfter(failure: unknown, count: number, patience: Patience): number {
  if (!(failure instanceof TransientFailure)) throw failure;
  const limit = failure.isUnreachable ? Math.min(unreachableRetries, patience.retries) : patience.retries;
  const asked = failure.retryAfterMs;
  if (count > limit || (asked ?? 0) > patience.longestWaitMs) throw failure;
  // Array jobs that start together must not come back together.
  const jitter = 0.75 + Math.random() / 2;
  return asked ?? Math.min(patience.backoffMs * 2 ** (count - 1), patience.longestWaitMs) * jitter;
}

/** Waits before the next attempt and says so; throws `failure` where there is to be none. */
export async function pause(failure: unknown, count: number, patience: Patience): Promise<void> {
  const waitMs = waitAfter(failure, count, patience);
  const reason = failure instanceof Error ? failure.message : String(failure);
  say(`${reason}; trying again in ${(waitMs / 1000).toFixed(1)} s`);
  await new Promise((resolve) => setTimeout(resolve, waitMs));
}
