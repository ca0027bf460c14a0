// When a run has to stop before its end: a signal has come, or a deadline is so near that another step would leave no
// time to save.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Deadline } from '../cluster/deadline.js';

export interface Stopping {
  /**
   * Why the run has to stop now, as a phrase (`SIGTERM`, `the time limit of 2h`); undefined while it may go on. Ask before
   * each step, after `heardSignals`. Once there is a reason it stays.
   */
  reason(): string | undefined;
  /** Tells how long a step of training or evaluation took: the margin before the deadline follows from it. */
  noteStep(ms: number): void;
  /** Tells how long a save took, from its beginning until it was safe on the disk. */
  noteSave(ms: number): void;
  /** Tells the size of what a save will write, so that the first one's time can be estimated. */
  noteStateBytes(bytes: number): void;
}

/** Never stops: for users of the library, and tests. */
export const neverStopping: Stopping = {
  reason: () => undefined,
  noteStep: () => undefined,
  noteSave: () => undefined,
  noteStateBytes: () => undefined,
};

/** The program's own end after a save: closing logs, ending TensorFlow. */
const endMs = 2000;
/** Until one was timed. A slow shared file system writes at least so much. */
const savedBytesPerMs = 50_000;
const unknownSaveMs = 10_000;
/** So many steps back the longest counts: the first are slower than all others. */
const recentSteps = 64;
const recentSaves = 8;

export interface StoppingParts {
  /** The first signal that asked the run to stop. */
  signal: () => string | undefined;
  /** A function where the deadline can still change. */
  deadline?: Deadline | (() => Deadline | undefined) | undefined;
  /** The clock of the deadline. */
  nowMs?: () => number;
}

/** Watches for the signal and the deadline. Room is left for twice the longest recent step and save. */
export function createStopping({ signal, deadline, nowMs = () => performance.now() }: StoppingParts): Stopping {
  const currentDeadline = typeof deadline === 'function' ? deadline : () => deadline;
  const steps: number[] = [];
  const saves: number[] = [];
  let stateBytes: number | undefined;
  let reason: string | undefined;

  return {
    reason() {
      reason ??= signal() ?? missedDeadline();
      return reason;
    },
    noteStep: (ms) => note(steps, ms, recentSteps),
    noteSave: (ms) => note(saves, ms, recentSaves),
    noteStateBytes(bytes) {
      stateBytes = bytes;
    },
  };

  function missedDeadline(): string | undefined {
    const due = currentDeadline();
    if (!due) return undefined;
    const marginMs = 2 * longest(steps) + saveMs(due) + endMs;
    return nowMs() + marginMs >= due.atMs ? due.source : undefined;
  }

  function saveMs({ atMs }: Deadline): number {
    if (saves.length > 0) return 2 * longest(saves);
    const estimateMs = stateBytes === undefined ? unknownSaveMs : stateBytes / savedBytesPerMs;
    // A guess must not eat up a short job, of which the clock has counted from the start of this process.
    return Math.min(estimateMs, atMs / 3);
  }
}

/**
 * Lets every signal that came during a step be heard: after that `reason` knows of it. The event loop handles signals
 * where it polls, and only between the first turn and the second has it surely polled; until the third, what handlers
 * leave for the end of their turn is done too.
 */
export async function heardSignals(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await nextTurn();
}

function note(times: number[], ms: number, limit: number): void {
  times.push(ms);
  if (times.length > limit) times.shift();
}

const longest = (times: readonly number[]) => Math.max(0, ...times);
