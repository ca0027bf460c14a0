// `deep-cnn submit`: writes the script of a batch job that trains, and hands it to PBS or Slurm.

import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { directives, jobName, type Scheduler } from '../cluster/job-resources.js';
import { variablesFor, writeJobScript } from '../cluster/job-script.js';
import { findScheduler, jobsToAwait, type SubmitParts, submitJob } from '../cluster/submit-job.js';
import { exitCode, messageOf, UserError } from '../errors.js';
import type { Command } from '../options/command.js';
import { completeConfig } from '../options/complete-config.js';
import { quoted } from '../options/given.js';
import { checkModelName } from '../options/model-name.js';
import { optionText } from '../options/option-text.js';
import { findRootDir } from '../options/paths.js';
import { mergeForResume } from '../options/resume-options.js';
import { type TrainConfig, trainOptions } from '../options.js';
import { type SubmitValues, submitOptions } from './submit-options.js';
import { standardVoices, type Voices } from './voices.js';

/** What the command needs from the rest of the program; tests put their own in. */
export interface SubmitCommandParts extends SubmitParts, Voices {}

export const submitCommand: Command<typeof submitOptions> = {
  name: 'submit',
  summary: 'Train in a batch job of PBS or Slurm; submit progress RUN tells how far a run is',
  options: submitOptions,
  operands: '[progress RUN]',
  offers: [['progress'], 'runs'],
  checkOperands: (operands) => {
    if (operands.length > 0) readRun(operands);
  },
  run: (values, operands, given) => runSubmit(values, operands, given, standardVoices),
};

/**
 * Checks the run's options as training would, then writes `outputs/jobs/<run_name>.pbs` or `.slurm`, submits it and
 * prints the job's identifier. With `progress` and a run's name, prints how far its last checkpoint is instead.
 * @throws UserError for a mistake in the options, before anything is written, and where the scheduler refuses the job.
 */
export async function runSubmit(
  values: SubmitValues,
  operands: readonly string[],
  given: ReadonlySet<string>,
  { print, tell, ...parts }: SubmitCommandParts,
): Promise<number> {
  const { env = process.env } = parts;
  if (operands.length > 0) {
    const text = await describeProgress({ root_dir: findRootDir(values.root_dir), run_name: readRun(operands) });
    if (text !== undefined) print(`${text}\n`);
    return exitCode.ok;
  }
  const scheduler = schedulerFor(values, env);
  const options = await optionsOfRun(values, given);
  if (values.wandb) await requireWandb(scheduler, env);
  const root = findRootDir(values.root_dir);
  const { after } = values;
  const script = writeJobScript(scheduler, {
    directives: directives(scheduler, requestOf(values)),
    variables: variablesFor(env),
    folder: root,
    programFolder,
    after: await jobsToAwait(scheduler, after, parts),
    options,
  });
  if (values.dry_run) {
    print(script);
    return exitCode.ok;
  }
  const path = join(root, 'outputs', 'jobs', `${values.run_name}.${scheduler}`);
  await writeScript(path, script);
  const id = await submitJob(scheduler, { path, after }, parts);
  tell(`The job's script is ${path}`);
  print(`${id}\n`);
  return exitCode.ok;
}

/** Where package.json is. */
export const programFolder = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

function readRun([verb, run, ...more]: readonly string[]): string {
  if (verb === 'progress' && run !== undefined && more.length === 0) return run;
  throw new UserError('Bad use of deep-cnn submit, which trains', {
    expected: 'options of a run alone, or progress and the name of one run',
    found: [verb, run, ...more].flatMap((word) => (word === undefined ? [] : quoted(word))).join(' '),
    mend: mendFor(verb),
  });
}

function mendFor(verb: string | undefined): string {
  if (verb === 'progress') return 'Name one run';
  if (verb === 'sweep') return 'Submit a sweep with deep-cnn sweep FILE --submit';
  return `For another command write \`run_once node dist/cli.js ${verb ?? ''} ...\` at the end of a copy of submit.pbs or submit.slurm`;
}

async function describeProgress(run: { root_dir: string; run_name: string }): Promise<string | undefined> {
  const { peekAtLast } = await import('../training/checkpoint/find.js');
  const last = await peekAtLast(run);
  if (last === undefined) return undefined;
  const { epoch, counters, isComplete } = last.state;
  return `epochs ${epoch}, steps ${counters.step + counters.skipped}, ${isComplete ? 'complete' : 'unfinished'}`;
}

export function schedulerFor({ scheduler }: Pick<SubmitValues, 'scheduler'>, env: NodeJS.ProcessEnv): Scheduler {
  if (scheduler === 'pbs' || scheduler === 'slurm') return scheduler;
  const found = findScheduler(env);
  if (found !== undefined) return found;
  throw new UserError('There is no scheduler here', {
    expected: 'qsub or sbatch on PATH',
    found: 'neither',
    mend: "Submit on the cluster's login node, or see the script with --scheduler=pbs --dry_run",
  });
}

export function requestOf(values: SubmitValues) {
  const { queue, partition } = values;
  if (queue !== undefined && partition !== undefined && queue !== partition) {
    throw new UserError('--queue and --partition name two places', { mend: 'Give one of them' });
  }
  if (values.gpu_type !== undefined && values.gpus === 0) {
    throw new UserError('--gpu_type has no GPU to choose', { mend: 'Say how many with --gpus=1' });
  }
  return {
    name: jobName(values.run_name),
    walltimeSeconds: values.walltime,
    cpus: values.cpus,
    memoryMegabytes: values.mem,
    gpus: values.gpus,
    gpuType: values.gpu_type,
    array: values.array,
    queue: queue ?? partition,
    account: values.account,
  };
}

/** The options of the run that were given, checked as the run itself would check them, each as `--name=value`. */
async function optionsOfRun(values: SubmitValues, given: ReadonlySet<string>): Promise<string[]> {
  const [{ modelNames }, { findCheckpoint }] = await Promise.all([
    import('../models/registry.js'),
    import('../training/checkpoint/find.js'),
  ]);
  const names = Object.keys(trainOptions) as (keyof TrainConfig)[];
  const own = Object.fromEntries(names.map((name) => [name, values[name]])) as TrainConfig;
  const trainValues = { ...own, gpus: Math.max(1, values.gpus) };
  const place = { root_dir: findRootDir(values.root_dir), run_name: values.run_name };
  // The runs of an array have names of their own.
  const found =
    values.array === undefined ? await findCheckpoint({ ...place, resume: values.resume ?? 'auto' }) : undefined;
  if (found?.checkpoint.state.isComplete && values.resume === undefined) {
    throw new UserError(`The run ${values.run_name} is finished`, {
      mend: 'Choose another --run_name, or go on with it by --resume and more --epochs',
    });
  }
  const merged = found ? mergeForResume(trainValues, given, found.checkpoint.options).config : trainValues;
  checkModelName(merged.model, modelNames());
  const config = completeConfig(merged, { needsWeights: found === undefined });
  const isWritten = (name: keyof TrainConfig) =>
    name === 'run_name' ||
    name === 'root_dir' ||
    (given.has(name) && name !== 'config' && !(name === 'gpus' && values.gpus < 2));
  return names
    .filter((name) => isWritten(name) || (name === 'data_dir' && found === undefined))
    .flatMap((name) => optionText(name, config[name]));
}

/** PBS shows a job's variables to everybody, so that a key does not travel in them. */
export async function requireWandb(scheduler: Scheduler, env: NodeJS.ProcessEnv): Promise<void> {
  const { checkWandb } = await import('../reporting/wandb-settings.js');
  checkWandb(env);
  if (scheduler !== 'pbs') return;
  const { WB_KEY: _, WANDB_API_KEY: __, ...inJob } = env;
  try {
    checkWandb(inJob);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(
      "The key of Weights & Biases would not reach the job, since PBS shows a job's variables to all",
      {
        mend: 'Put it into ~/.netrc (machine api.wandb.ai login user password KEY, for your eyes only: chmod 600 ~/.netrc), or record with WANDB_MODE=offline',
      },
    );
  }
}

export async function writeScript(path: string, text: string): Promise<void> {
  const { writeTextAtomically } = await import('../atomic-file.js');
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeTextAtomically(path, text);
  } catch (error) {
    const found = messageOf(error);
    throw new UserError(`Cannot write '${path}'`, { found, mend: 'Choose another --root_dir or make room there' });
  }
}
