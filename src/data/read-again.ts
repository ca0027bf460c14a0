// Failures of reading that are no fault of the file, and pass: network file systems have them, and programs that have
// opened as many files as they may.

import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../errors.js';

export interface ReadAgainOptions {
  /** Hears that no more files can be opened, at each attempt that finds it so. */
  onTooManyOpen: () => void;
  /** True once nobody wants the result any more. */
  isGivenUp: () => boolean;
  pause?: (ms: number) => Promise<unknown>;
}

const transient: ReadonlySet<string> = new Set(['EIO', 'ESTALE', 'ETIMEDOUT', 'EAGAIN', 'EINTR']);
const tooManyOpen: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE']);

/** Pauses before the second attempt, the third and so on, where the file system failed. */
const transientPausesMs: readonly number[] = [50, 200, 800];

const firstPauseMs = 10;
const longestPauseMs = 500;
/** How long to wait for other files to be closed: those of this program are within a second. */
const patienceMs = 60_000;

/**
 * Does `read`, and does it again after a pause where it fails in a way that passes: four times for a fault of the file
 * system, for a minute while no more files can be opened. Rejects as the last attempt did, or with a UserError when that
 * minute is over.
 */
export async function readAgain<T>(read: () => Promise<T>, options: ReadAgainOptions): Promise<T> {
  const { onTooManyOpen, isGivenUp, pause = sleep } = options;
  let faults = 0;
  let waitMs = firstPauseMs;
  let waitedMs = 0;
  for (;;) {
    try {
      return await read();
    } catch (error) {
      const code = systemCode(error);
      if (isGivenUp()) throw error;
      if (tooManyOpen.has(code)) {
        if (waitedMs >= patienceMs) throw outOfFiles(error);
        onTooManyOpen();
        await pause(waitMs);
        waitedMs += waitMs;
        waitMs = Math.min(waitMs * 2, longestPauseMs);
      } else {
        const pauseMs = transient.has(code) ? transientPausesMs[faults++] : undefined;
        if (pauseMs === undefined) throw error;
        await pause(pauseMs);
      }
    }
  }
}

/** The system's name for what went wrong, of the error or of what caused it. */
function systemCode(error: unknown): string {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && typeof cause.code === 'string') return cause.code;
  }
  return '';
}

function outOfFiles(cause: unknown): UserError {
  return new UserError(
    'No image can be opened',
    {
      found: `too many open files for ${patienceMs / 1000} seconds`,
      mend: 'Allow more with `ulimit -n 4096`, or give fewer --workers',
    },
    { cause },
  );
}
