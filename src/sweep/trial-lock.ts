// One process at a time works on a trial. The lock is a file in the sweep's folder; it says nothing of the trial, which
// stands in Optuna's storage.

import { join } from 'node:path';
import { LockAttempts, newHolder, type Standing, tokenVariable, usualTiming } from '../file-lock.mjs';
import { releaseLock, renewLock } from '../lock-file.mjs';

export interface TrialLock {
  /** What processes that work for this trial get in their environment: they are ended when the lock is a dead one's. */
  env: Record<string, string>;
  release(): void;
}

/** Attempts at the locks of a sweep's trials: a holder on another machine is judged by several looks at its lock. */
export class TrialLocks {
  readonly #folder: string;
  readonly #self = newHolder();
  readonly #attempts = new Map<number, LockAttempts>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * The lock; `alive` where another process has it, `dead` where what a dead one has left running is being ended, `unknown`
   * where it takes longer to find out.
   */
  attempt(trial: number): TrialLock | Standing['state'] {
    const path = join(this.#folder, `trial-${trial}.lock`);
    const attempts = this.#attempts.get(trial) ?? new LockAttempts(path, this.#self);
    this.#attempts.set(trial, attempts);
    const standing = attempts.next();
    if (standing) return standing.state;
    const { token } = this.#self;
    const heartbeat = setInterval(() => renewLock(path, token), usualTiming.heartbeatMs).unref();
    return {
      env: { [tokenVariable]: token },
      release: () => {
        clearInterval(heartbeat);
        this.#attempts.delete(trial);
        releaseLock(path, token);
      },
    };
  }
}
