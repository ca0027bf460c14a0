// `deep-cnn sweep FILE --submit`: the sweep in a job, or in an array of jobs that work on it together.

import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { directives, jobName } from '../cluster/job-resources.js';
import { variablesFor, writeJobScript } from '../cluster/job-script.js';
import { jobsToAwait, submitJob } from '../cluster/submit-job.js';
import { exitCode } from '../errors.js';
import { optionText } from '../options/option-text.js';
import { cannotWrite } from '../reporting/run-files.js';
import { ensureOptuna } from '../sweep/install-optuna.js';
import type { SweepPlan } from '../sweep/plan.js';
import { programFolder, requestOf, requireWandb, schedulerFor, writeScript } from './submit.js';
import type { SweepValues } from './sweep-options.js';
import { standardVoices } from './voices.js';

export interface SweepSubmission {
  /** The sweep's file. */
  file: string;
  plan: SweepPlan;
  values: SweepValues;
  /** The options that were given. */
  given: ReadonlySet<string>;
}

/** Options of the job, and what the plan has made absolute. */
const ofJob: readonly string[] = [
  ...['submit', 'parallel', 'config', 'data_dir', 'root_dir', 'walltime', 'cpus', 'mem', 'gpu_type'],
  ...['queue', 'partition', 'account', 'after', 'dry_run', 'gpus'],
];

/**
 * Writes `outputs/jobs/<name>.sweep.pbs` or `.slurm`, submits it and prints the job's identifier. Each job runs the same
 * command on a copy of the file, and Optuna's storage is what they share.
 * @throws UserError where the scheduler refuses.
 */
export async function submitSweep({ file, plan, values, given }: SweepSubmission): Promise<number> {
  const { definition, rootDir, options } = plan;
  const { name } = definition;
  const { print, tell } = standardVoices;
  const scheduler = schedulerFor({ scheduler: values.submit === 'auto' ? undefined : values.submit }, process.env);
  if (values.wandb) await requireWandb(scheduler, process.env);
  const array = values.parallel > 1 ? `0-${values.parallel - 1}` : undefined;
  const folder = join(rootDir, 'outputs', 'sweeps', name);
  // The one that was given may be edited while jobs wait; its name is the sweep's.
  const copy = join(folder, `${name}.yaml`);
  const own = [...given].filter((option) => !ofJob.includes(option)).sort();
  const script = writeJobScript(scheduler, {
    directives: directives(scheduler, {
      ...requestOf({ ...values, run_name: name, array, scheduler: undefined }),
      name: jobName(name),
    }),
    variables: variablesFor(process.env),
    folder: rootDir,
    programFolder,
    after: await jobsToAwait(scheduler, values.after),
    options: [
      ...new Set([...options, ...own.flatMap((option) => optionText(option, values[option as keyof SweepValues]))]),
    ],
    sweep: { name, file: copy },
  });
  if (values.dry_run) {
    print(script);
    return exitCode.ok;
  }
  // Compute nodes may have no network.
  await ensureOptuna(definition.storage);
  try {
    mkdirSync(folder, { recursive: true });
    copyFileSync(file, copy);
  } catch (error) {
    throw cannotWrite(folder, error);
  }
  const path = join(rootDir, 'outputs', 'jobs', `${name}.sweep.${scheduler}`);
  await writeScript(path, script);
  const id = await submitJob(scheduler, { path, after: values.after });
  tell(`The job's script is ${path}`);
  print(`${id}\n`);
  return exitCode.ok;
}
