// How far a sweep is, for people and for the scripts of jobs.

import { textTable } from '../reporting/text-table.js';
import { peekAtLast } from '../training/checkpoint/find.js';
import { choiceOf } from './choice.js';
import { toldTrials } from './claim.js';
import { metrics, runName, type SweepDefinition } from './definition.js';
import { writeSweepReport } from './report.js';
import type { Study, StudyState } from './study.js';
import { bestTrial } from './sweep.js';

/** What the storage knows of the sweep itself. */
function begunAs({ attributes }: StudyState): Pick<SweepDefinition, 'metric' | 'method'> {
  const { metric, method } = JSON.parse(attributes.definition ?? '{}') as Partial<SweepDefinition>;
  return { metric: metric ?? metrics[0], method: method ?? 'random' };
}

/** A line that changes as the sweep comes further, also in the midst of a trial. */
export async function describeProgress(state: StudyState, { rootDir, name }: { rootDir: string; name: string }) {
  let steps = 0;
  for (const { number } of state.trials.filter(({ state }) => state === 'RUNNING')) {
    const last = await peekAtLast({ root_dir: rootDir, run_name: runName({ name }, number) });
    steps += last ? last.state.counters.step + last.state.counters.skipped : 0;
  }
  return `trials ${toldTrials(state)}, steps ${steps}`;
}

/** What there is to say of a sweep, in lines of text. */
export function describeSweep(state: StudyState, name: string): string[] {
  const { trials, attributes } = state;
  const told = toldTrials(state);
  const best = bestTrial(state, begunAs(state));
  const rows = trials.map((trial) => [
    ...[
      String(trial.number),
      trial.state.toLowerCase(),
      String(trial.value ?? ''),
      String(trial.attributes.epoch ?? ''),
    ],
    choiceOf(trial),
  ]);
  return [
    `Sweep ${name}: ${told} trials told, ${trials.length - told} begun and not told`,
    textTable([['Trial', 'State', begunAs(state).metric, 'Epoch', 'Options'], ...rows]).trimEnd(),
    ...(best ? [`The best is trial ${best.number}, run ${name}-${best.number}`] : []),
    ...(attributes.tests ?? []).map(
      ({ trial, loss, precisionAt1, precisionAt5 }) =>
        `Test of trial ${trial}: loss ${loss}, precision@1 ${precisionAt1}, precision@5 ${precisionAt5}`,
    ),
  ];
}

/** Writes the report into the sweep's folder and returns the paths of its files. */
export async function reportSweep(study: Study, { folder, name }: { folder: string; name: string }): Promise<string[]> {
  const state = await study.show();
  const importance = await study.importance();
  const { metric, method } = begunAs(state);
  return writeSweepReport(folder, { name, metric, method, state, best: bestTrial(state, { metric }), importance });
}
