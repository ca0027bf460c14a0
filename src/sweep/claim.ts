// Which trial a process works on next: one that was left in its midst, else a new one, as long as there are to be more.

import { setTimeout as sleep } from 'node:timers/promises';
import { type SweepDefinition, samplerFor, spaceOf } from './definition.js';
import type { OpenStudy, Study, StudyState, Trial } from './study.js';
import type { TrialLock, TrialLocks } from './trial-lock.js';

/** A trial that is this process's until the lock is released. */
export interface ClaimedTrial {
  trial: Trial;
  lock: TrialLock;
}

export interface ClaimParts {
  study: Study;
  definition: SweepDefinition;
  locks: TrialLocks;
  /** Whether to give up. */
  isStopped: () => boolean;
}

const pollMs = 1000;

/**
 * Takes a trial. Undefined when all are told, when others work on all that are not, or when stopped. Whether a process on
 * another machine is dead takes up to a minute to find out.
 */
export async function claimTrial(parts: ClaimParts): Promise<ClaimedTrial | undefined> {
  while (!parts.isStopped()) {
    const claimed = await parts.study.alone((open) => claimOnce(open, parts));
    if (claimed !== 'unknown') return claimed;
    await sleep(pollMs);
  }
  return undefined;
}

async function claimOnce(
  open: OpenStudy,
  { definition, locks }: ClaimParts,
): Promise<ClaimedTrial | 'unknown' | undefined> {
  const { trials } = await open.show();
  const space = spaceOf(definition);
  let isUnknown = false;
  for (const trial of trials.filter(({ state }) => state === 'RUNNING')) {
    const lock = locks.attempt(trial.number);
    if (typeof lock !== 'string') {
      // Who asked for it was killed before the choice was made.
      const isWhole = Object.keys(space).every((name) => Object.hasOwn(trial.params, name));
      const sampler = samplerFor(definition, trial.number);
      return { trial: isWhole ? trial : await open.complete(trial.number, sampler, space), lock };
    }
    if (lock === 'dead') return 'unknown';
    isUnknown ||= lock === 'unknown';
  }
  const begun = trials.filter(({ state }) => state !== 'WAITING').length;
  if (begun >= definition.runCap) return isUnknown ? 'unknown' : undefined;
  const trial = await open.ask(samplerFor(definition, trials.length), space);
  const lock = locks.attempt(trial.number);
  if (typeof lock === 'string') throw new Error(`internal: trial ${trial.number} is new and somebody's`);
  return { trial, lock };
}

/** How many trials have ended, well or not. */
export function toldTrials({ trials }: StudyState): number {
  return trials.filter(({ state }) => state === 'COMPLETE' || state === 'PRUNED' || state === 'FAIL').length;
}
