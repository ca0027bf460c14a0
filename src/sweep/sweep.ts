// A sweep, from its first trial to the test of the best one. Several processes, here or on other machines, may do the same
// sweep at once.

import { existsSync } from 'node:fs';
import { exitCode, UserError } from '../errors.js';
import { bestModelFile } from '../reporting/run-files.js';
import { checkpointFolder } from '../training/checkpoint/folder.js';
import { choiceOf } from './choice.js';
import { claimTrial, toldTrials } from './claim.js';
import { comparable, directionOf, runName, type SweepDefinition } from './definition.js';
import { runTrial, type TrialParts } from './run-trial.js';
import type { StudyState, TestResult, Trial } from './study.js';
import { TrialLocks } from './trial-lock.js';

export interface SweepParts extends TrialParts {
  /** The sweep's folder. */
  folder: string;
  /** Measures a run's best network on the test images; undefined where there are none. */
  testRun: (run: string, trial: number) => Promise<TestResult | 'stopped' | undefined>;
}

/** So many trials that fail one after another are no accident. */
const failuresInARow = 3;

/**
 * Works on the sweep until all of its trials are told, or others work on the rest of them; then tests the best one.
 * Returns the exit code: `resumable` where it was stopped.
 * @throws UserError where the sweep was begun as another one, or trial after trial fails.
 */
export async function runSweep(parts: SweepParts): Promise<number> {
  const { study, definition, folder, stop, tell } = parts;
  await begin(parts);
  const locks = new TrialLocks(folder);
  let failed = 0;
  for (;;) {
    const claimed = await claimTrial({ study, definition, locks, isStopped: () => stop.asked !== undefined });
    if (!claimed) break;
    const { trial, lock } = claimed;
    try {
      tell(`Trial ${trial.number} (${trial.number + 1} of ${definition.runCap}): ${choiceOf(trial)}`);
      const end = await runTrial(claimed, parts);
      if (end === 'stopped') return stopped(parts);
      failed = end === 'failed' ? failed + 1 : 0;
    } finally {
      lock.release();
    }
    if (failed === failuresInARow) {
      throw new UserError(`${failed} trials in a row failed`, {
        mend: 'See above why; mend it, and start the sweep again, which goes on with the next trial',
      });
    }
  }
  if (stop.asked) return stopped(parts);
  return finish(parts);
}

/** Makes the study, or sees that it is that of the same sweep. */
async function begin({ study, definition, rootDir }: SweepParts): Promise<void> {
  const wanted = comparable(definition);
  await study.alone(async (open) => {
    const { attributes, trials } = await open.create(directionOf(definition.metric));
    if (attributes.definition === undefined && trials.length === 0) {
      requireNewRuns(definition, rootDir);
      await open.note(null, { definition: wanted });
    } else if (attributes.definition !== wanted) {
      throw new UserError(`The sweep ${definition.name} was begun with other parameters`, {
        ...differenceOf(attributes.definition, wanted),
        mend: 'Give this one another `name`, or put the file back',
      });
    }
  });
}

/** The first key that differs. */
function differenceOf(before: string | undefined, now: string): { expected?: string; found?: string } {
  if (before === undefined) return { found: 'a study that is no sweep of this program' };
  const [old, wanted] = [before, now].map((text) => JSON.parse(text) as Record<string, unknown>);
  const flat = (value: Record<string, unknown> | undefined): Record<string, unknown> => ({
    ...value,
    ...(value?.['parameters'] as object | undefined),
    parameters: undefined,
  });
  const [a, b] = [flat(old), flat(wanted)];
  const name = Object.keys({ ...a, ...b }).find((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]));
  if (name === undefined) return {};
  const text = (value: unknown) => `${name} ${JSON.stringify(value) ?? 'not given'}`;
  return { expected: text(a[name]), found: text(b[name]) };
}

/** A run of an earlier sweep would be taken for a trial's that is done. */
function requireNewRuns(definition: SweepDefinition, rootDir: string): void {
  for (let trial = 0; trial < definition.runCap; trial += 1) {
    const place = { root_dir: rootDir, run_name: runName(definition, trial) };
    if (!existsSync(checkpointFolder(place)) && !existsSync(bestModelFile(place))) continue;
    throw new UserError(`There is a run ${place.run_name} of an earlier sweep, of which there is no other trace`, {
      mend: `Give the sweep another \`name\`, or remove ${checkpointFolder(place)} and ${bestModelFile(place)}`,
    });
  }
}

function stopped({ definition, stop, tell }: SweepParts): number {
  tell(
    `The sweep ${definition.name} was stopped${stop.asked ? ` by ${stop.asked}` : ''}; the same command goes on with it`,
  );
  return exitCode.resumable;
}

async function finish({ study, definition, tell, testRun, stop, ...parts }: SweepParts): Promise<number> {
  const state = await study.show();
  const told = toldTrials(state);
  const best = bestTrial(state, definition);
  tell(`${told} of ${definition.runCap} trials of the sweep ${definition.name} are told`);
  if (told < definition.runCap) {
    tell('Other processes work on the rest, and the last of them tests the best one');
    return exitCode.ok;
  }
  if (!best)
    throw new UserError('No trial has come to an end, so that none is the best', { mend: 'See the logs of its runs' });
  tell(`The best is trial ${best.number}, ${definition.metric} ${best.value}: ${choiceOf(best)}`);
  // One process tests, even where several see the last trial told.
  const lock = new TrialLocks(parts.folder).attempt(best.number);
  if (typeof lock === 'string') return exitCode.ok;
  try {
    const { tests = [] } = (await study.show()).attributes;
    if (tests.some(({ trial }) => trial === best.number)) return exitCode.ok;
    const test = await testRun(runName(definition, best.number), best.number);
    if (test === 'stopped') return stopped({ study, definition, tell, testRun, stop, ...parts });
    if (test === undefined) {
      tell('There are no test images to measure it on');
      return exitCode.ok;
    }
    await study.note(null, { tests: [...tests, test] });
    tell(`On the test images: loss ${test.loss}, precision@1 ${test.precisionAt1}, precision@5 ${test.precisionAt5}`);
    return exitCode.ok;
  } finally {
    lock.release();
  }
}

/** The trial that is worth most, of equals the first; undefined while none is told. */
export function bestTrial({ trials }: StudyState, { metric }: Pick<SweepDefinition, 'metric'>): Trial | undefined {
  const sign = directionOf(metric) === 'minimize' ? 1 : -1;
  let best: Trial | undefined;
  for (const trial of trials) {
    if (trial.state !== 'COMPLETE' || trial.value === null) continue;
    if (best?.value === undefined || best.value === null || sign * trial.value < sign * best.value) best = trial;
  }
  return best;
}
