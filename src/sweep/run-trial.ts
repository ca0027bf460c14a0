// One trial: trained by a process of its own, once more where that fails, and told.

import { setTimeout as sleep } from 'node:timers/promises';
import { exitCode } from '../errors.js';
import { optionText } from '../options/option-text.js';
import { trainOptions } from '../options.js';
import { latestRunDescription } from '../reporting/find-run-description.js';
import type { ClaimedTrial } from './claim.js';
import { prunerFor, runName, type SweepDefinition } from './definition.js';
import { metricOf, worthOf } from './run-results.js';
import { isStopSignal, type SweepStop } from './stop.js';
import type { Study, Trial } from './study.js';
import { type ChildProgram, describeEnd, type ProcessEnd, type StartProgram } from './trainer.js';

/** How work on a trial ended: told as worth something or pruned, told as failed, or to be gone on with later. */
export type TrialEnd = 'told' | 'failed' | 'stopped';

export interface TrialParts {
  study: Study;
  definition: SweepDefinition;
  rootDir: string;
  /** Options that every trial gets. */
  options: () => readonly string[];
  stop: SweepStop;
  start: StartProgram;
  tell: (line: string) => void;
  /** How often a run is looked at for new epochs, where trials are pruned. */
  pollMs?: number;
}

/** Trains a trial until it can be told, or until the sweep is stopped; goes on with what there is of it. */
export async function runTrial({ trial, lock }: ClaimedTrial, parts: TrialParts): Promise<TrialEnd> {
  const { study, definition, rootDir, stop, start, tell } = parts;
  const run = runName(definition, trial.number);
  const failures = [...(trial.attributes.failures ?? [])];
  let pruned = trial.attributes.pruned_after;
  for (;;) {
    if (pruned !== undefined) {
      await study.tell(trial.number, { state: 'pruned' });
      tell(`Trial ${trial.number} was pruned after epoch ${pruned}`);
      return 'told';
    }
    const results = latestRunDescription({ root_dir: rootDir, run_name: run });
    if (results?.state === 'finished') {
      const worth = worthOf(results, definition.metric);
      if (worth) {
        await study.tell(trial.number, { state: 'complete', value: worth.value }, worth.attributes);
        tell(`Trial ${trial.number}: ${definition.metric} ${worth.value} in epoch ${worth.attributes.epoch}`);
        return 'told';
      }
      return fail('no epoch has a validation loss that is a number');
    }
    if (stop.asked) return 'stopped';
    const child = start(wordsFor(trial, run, parts), { ...lock.env, ...groupOf(definition) });
    const watch = watchForPruning(trial, run, child, parts);
    const end = await stop.handingOn(child.kill, child.ended);
    pruned = await watch.done();
    if (pruned !== undefined) continue;
    const isFinished = latestRunDescription({ root_dir: rootDir, run_name: run })?.state === 'finished';
    if (end.code === exitCode.ok && isFinished) continue;
    if (end.code === exitCode.resumable || isStopSignal(end.signal) || stop.asked) return 'stopped';
    failures.push(whatFailed(end));
    await study.note(trial.number, { failures });
    if (failures.length > definition.retries) return fail(whatFailed(end));
    tell(`Trial ${trial.number} failed (${whatFailed(end)}): tried again, ${failures.length} of ${definition.retries}`);
  }

  async function fail(reason: string): Promise<'failed'> {
    await study.tell(trial.number, { state: 'fail' });
    tell(`Trial ${trial.number} counts as failed: ${reason}`);
    return 'failed';
  }
}

function whatFailed(end: ProcessEnd): string {
  return end.code === exitCode.ok ? 'it ended without results' : describeEnd(end);
}

function wordsFor(trial: Trial, run: string, { definition, options }: TrialParts): string[] {
  const chosen = definition.parameters.flatMap(({ name, range }) =>
    optionText(name, 'value' in range ? range.value : trial.params[name]),
  );
  return ['train', ...options(), ...chosen, '--test=False', '--resume=auto', `--run_name=${run}`];
}

/** Weights & Biases shows the runs of a sweep together, unless the environment names another group. */
function groupOf({ name }: SweepDefinition): Record<string, string> {
  return process.env['WANDB_RUN_GROUP']?.trim() ? {} : { WANDB_RUN_GROUP: name };
}

const epochsOf = ({ params }: Trial, { parameters }: SweepDefinition): number => {
  const fixed = parameters.find(({ name }) => name === 'epochs')?.range;
  const epochs = fixed && 'value' in fixed ? fixed.value : params['epochs'];
  return typeof epochs === 'number' ? epochs : trainOptions.epochs.default();
};

/** Reports each epoch of a run while it lasts, and stops it where it is not worth going on with. */
function watchForPruning(trial: Trial, run: string, child: ChildProgram, parts: TrialParts) {
  const { study, definition, rootDir, pollMs = 500 } = parts;
  const pruner = prunerFor(definition, epochsOf(trial, definition));
  let isOver = false;
  const watching = pruner === undefined ? Promise.resolve(undefined) : watch(pruner);
  // Whoever waits for it hears of it.
  watching.catch(() => undefined);
  return {
    /** The epoch after which it was stopped, if it was. To be called when the process has ended. */
    done: () => {
      isOver = true;
      return watching;
    },
  };

  async function watch(pruner: NonNullable<ReturnType<typeof prunerFor>>): Promise<number | undefined> {
    let reported = Object.keys(trial.reports).length;
    while (!isOver) {
      const epochs = latestRunDescription({ root_dir: rootDir, run_name: run })?.epochs ?? [];
      if (epochs.length > reported) {
        reported = epochs.length;
        const values = epochs.flatMap((epoch): [number, number][] => {
          const value = metricOf(epoch, definition.metric);
          return value === undefined ? [] : [[epoch.epoch, value]];
        });
        if (await study.report(trial.number, pruner, values)) {
          // Noted before anything is stopped, so that it stays pruned whatever happens now.
          await study.note(trial.number, { pruned_after: reported });
          child.kill('SIGTERM');
          return reported;
        }
      }
      await sleep(pollMs);
    }
    return undefined;
  }
}
