// `deep-cnn sweep FILE`: many runs, whose options Optuna chooses; `sweep status NAME` and `sweep report NAME` tell of them.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { exitCode, UserError } from '../errors.js';
import type { Command } from '../options/command.js';
import { quoted } from '../options/given.js';
import { findRootDir } from '../options/paths.js';
import { isPlainFileName } from '../options/run-name.js';
import type { TrainConfig } from '../options.js';
import type { SweepPlan } from '../sweep/plan.js';
import type { Study, TestResult } from '../sweep/study.js';
import type { StartProgram } from '../sweep/trainer.js';
import type { EvaluationReport } from './evaluate.js';
import { isNohup } from './signals.js';
import { ofJobsAlone, type SweepValues, sweepOptions } from './sweep-options.js';
import { standardVoices, type Voices } from './voices.js';

/** What the command needs from the rest of the program; tests put their own in. */
export interface SweepCommandParts extends Pick<Voices, 'print'> {
  start?: StartProgram;
  pollMs?: number;
}

export const sweepCommand: Command<typeof sweepOptions> = {
  name: 'sweep',
  summary: 'Train many runs with options that Optuna chooses; sweep status and sweep report tell of them',
  options: sweepOptions,
  operands: '<FILE | status NAME | report NAME>',
  run: (values, operands, given) => runSweepCommand(values, operands, given, standardVoices),
};

const verbs = ['status', 'report', 'progress'] as const;

/**
 * Does what the operands say. Returns the exit code: `resumable` where a sweep was stopped, and goes on with the same command.
 * @throws UserError for a mistake in the file or the options, before anything is started.
 */
export async function runSweepCommand(
  values: SweepValues,
  operands: readonly string[],
  given: ReadonlySet<string>,
  parts: SweepCommandParts,
): Promise<number> {
  const [first, second, ...more] = operands;
  const verb = verbs.find((verb) => verb === first);
  if (first === undefined || more.length > 0 || (second !== undefined) !== (verb !== undefined)) {
    throw new UserError('Bad use of deep-cnn sweep', {
      expected: 'a YAML file, or status or report and the name of a sweep',
      found: operands.length === 0 ? 'nothing' : operands.map(quoted).join(' '),
    });
  }
  if (verb) return tellOf(verb, second ?? '', values, parts);
  const { readSweepFile } = await import('../sweep/sweep-file.js');
  const [{ planSweep }, { modelNames }] = await Promise.all([
    import('../sweep/plan.js'),
    import('../models/registry.js'),
  ]);
  const trainValues: TrainConfig = { ...values, gpus: Math.max(1, values.gpus) };
  const plan = planSweep(readSweepFile(first), {
    ...{ values: trainValues, given, modelNames: modelNames() },
    ...{ runCap: values.run_cap === 0 ? undefined : values.run_cap, storage: values.storage },
  });
  if (values.wandb) (await import('../reporting/wandb-settings.js')).checkWandb();
  const stray = ofJobsAlone.find((name) => given.has(name));
  if (values.submit === undefined && stray !== undefined) {
    throw new UserError(`--${stray} is for jobs`, { mend: 'Submit the sweep with --submit, or leave it out' });
  }
  if (values.submit !== undefined) {
    const { submitSweep } = await import('./sweep-submit.js');
    return submitSweep({ file: first, plan, values, given });
  }
  return work(plan, values, parts);
}

async function work(
  plan: SweepPlan,
  values: SweepValues,
  { start, print, pollMs }: SweepCommandParts,
): Promise<number> {
  const [{ runSweep }, { isStopSignal, SweepStop }, { startProgram }, { hasTestImages }] = await Promise.all([
    import('../sweep/sweep.js'),
    import('../sweep/stop.js'),
    import('../sweep/trainer.js'),
    import('../sweep/run-results.js'),
  ]);
  const { definition, rootDir, options } = plan;
  const folder = sweepFolder(rootDir, definition.name);
  const study = await openStudy(folder, definition.name, definition.storage);
  const stop = new SweepStop();
  stop.catchSignals({ ignoresHangUp: isNohup(process.env) });
  const startIt = start ?? startProgram;
  const limit = values.time_limit;
  try {
    return await runSweep({
      ...{
        study,
        definition,
        rootDir,
        folder,
        stop,
        start: startIt,
        tell: (line) => print(`${line}\n`),
        ...(pollMs !== undefined && { pollMs }),
      },
      options: () => {
        // Each run counts from its own start.
        const left = limit === undefined ? undefined : Math.max(1, Math.ceil(limit - performance.now() / 1000));
        return [...options, ...(left === undefined ? [] : [`--time_limit=${left}s`])];
      },
      testRun: async (run, trial) => {
        const words = ['evaluate', `--run=${run}`, '--best', '--split=test', `--root_dir=${rootDir}`];
        if (values.device !== 'auto') words.push(`--device=${values.device}`);
        if (!hasTestImages(rootDir, run)) return undefined;
        const child = startIt(words, {});
        const end = await stop.handingOn(child.kill, child.ended);
        if (end.code === exitCode.ok) return readTest(rootDir, run, trial);
        if (isStopSignal(end.signal) || stop.asked) return 'stopped';
        throw new UserError('The best network could not be tested', {
          mend: 'See above why; mend it, and start the sweep again, which does nothing else',
        });
      },
    });
  } finally {
    stop.release();
  }
}

function sweepFolder(rootDir: string, name: string): string {
  return join(rootDir, 'outputs', 'sweeps', name);
}

async function openStudy(folder: string, name: string, storage: string | undefined): Promise<Study> {
  const [{ ensureOptuna }, { Study }] = await Promise.all([
    import('../sweep/install-optuna.js'),
    import('../sweep/study.js'),
  ]);
  return new Study({ optuna: await ensureOptuna(storage), folder, name, storage });
}

function readTest(rootDir: string, run: string, trial: number): TestResult {
  const path = join(rootDir, 'outputs', 'evaluations', `${run}.best`, 'test', 'evaluation.json');
  const { loss, precisionAt1, precisionAt5, images } = JSON.parse(readFileSync(path, 'utf8')) as EvaluationReport;
  return { trial, loss, precisionAt1: precisionAt1.percent, precisionAt5: precisionAt5.percent, images };
}

async function tellOf(
  verb: (typeof verbs)[number],
  name: string,
  values: SweepValues,
  { print }: SweepCommandParts,
): Promise<number> {
  const rootDir = findRootDir(values.root_dir);
  const folder = sweepFolder(rootDir, name);
  if (!isPlainFileName(name) || !existsSync(folder)) {
    throw new UserError(`There is no sweep ${quoted(name)}`, {
      expected: `a folder ${quoted(folder)}`,
      mend: 'Name a sweep, and with --root_dir the folder that holds its outputs',
    });
  }
  const study = await openStudy(folder, name, values.storage);
  const { describeProgress, describeSweep, reportSweep } = await import('../sweep/status.js');
  if (verb === 'report') {
    for (const path of await reportSweep(study, { folder, name })) print(`${path}\n`);
  } else if (verb === 'progress') {
    print(`${await describeProgress(await study.show(), { rootDir, name })}\n`);
  } else {
    for (const line of describeSweep(await study.show(), name)) print(`${line}\n`);
  }
  return exitCode.ok;
}
