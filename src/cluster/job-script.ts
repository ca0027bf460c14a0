// The script of a job: submit.pbs or submit.slurm, which people edit by hand, with other lines in the places that they
// would edit. What these scripts do around the command is in scripts/job.sh, for them as for ours.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../errors.js';
import { redact } from '../secrets.js';
import type { Scheduler } from './job-resources.js';
import { shellWord } from './shell-word.js';

export interface JobScript {
  directives: readonly string[];
  /** Variables that the job gets; see `variablesFor`. */
  variables: ReadonlyMap<string, string>;
  /** Where the job runs: the run's root folder. */
  folder: string;
  /** The folder of this program, with environment.sh in it. */
  programFolder: string;
  /** PBS jobs that have to have succeeded. */
  after: readonly string[];
  /** Options of the run, each as `--name=value`. */
  options: readonly string[];
  /** In place of a run a sweep: its name and its file. */
  sweep?: { name: string; file: string };
}

/** The text of the script. Throws a `UserError` where a value can't stand in one. */
export function writeJobScript(scheduler: Scheduler, script: JobScript): string {
  const { programFolder: program } = script;
  const exports = [...script.variables].map(([name, value]) => `export ${name}=${shellQuoted(value)}`);
  const source = (name: string) => `. ${shellQuoted(join(program, name))} || exit 2`;
  const node = `node ${shellQuoted(join(program, 'dist/cli.js'))}`;
  const { sweep } = script;
  const work = sweep
    ? `run_sweep ${shellQuoted(sweep.name)} ${node} sweep ${shellQuoted(sweep.file)}`
    : `run_job ${node}`;
  const command = [work, ...script.options.map(shellQuoted)];
  const shipped = readFileSync(join(program, `submit.${scheduler}`), 'utf8');
  return fill(shipped, [
    [/^#!.*\n(#.*\n)+\n/, `${['#!/bin/bash', ...script.directives].join('\n')}\n\n`],
    [/^#.*\n(export WB_.*\n)+\n/m, exports.length === 0 ? '' : `${exports.join('\n')}\n\n`],
    [/^cd .*$/m, `cd ${shellQuoted(script.folder)} || exit 2`],
    [/^\. \.\/environment\.sh.*$/m, source('environment.sh')],
    [/^\. \.\/scripts\/job\.sh.*$/m, [source('scripts/job.sh'), ...afterLines(script.after)].join('\n')],
    ...(sweep ? [[/^# The run, with .*\n(#.*\n)+/m, sweepComment] as const] : []),
    [/^run_job [\s\S]*$/m, `${command.join(' \\\n  ')}\n`],
  ]);
}

const sweepComment = `# The sweep: each job takes the next trial, until none is left. It is stopped before the walltime is over, its trial saved,
# and goes on in a next job by itself.
`;

function afterLines(after: readonly string[]): string[] {
  return after.length === 0 ? [] : [`job_after ${after.map(shellQuoted).join(' ')}`];
}

function fill(shipped: string, changes: readonly (readonly [RegExp, string])[]): string {
  let text = shipped;
  for (const [place, replacement] of changes) {
    if (!place.test(text)) throw new Error(`internal: no ${place} in the job script that comes with the program`);
    text = text.replace(place, () => replacement);
  }
  return text;
}

/** One word for bash that means exactly the text. Throws a `UserError` for one with line breaks or the like. */
function shellQuoted(text: string): string {
  if (/\p{Cc}/u.test(text)) {
    throw new UserError('A job script can hold no line breaks or other control characters', {
      found: JSON.stringify(redact(text)),
    });
  }
  return shellWord(text);
}

/** What a run reads of its environment, and what is no secret. */
const variableNames = [
  'MODULES',
  'CONDA_ENV',
  'DEEP_CNN_CACHE',
  'DEEP_CNN_LIBTENSORFLOW',
  'DEEP_CNN_TRIES',
  'HF_HOME',
  'HF_HUB_CACHE',
  'HF_ENDPOINT',
  'HF_HUB_OFFLINE',
  'HTTPS_PROXY',
  'NO_PROXY',
  'NODE_EXTRA_CA_CERTS',
  'TF_NUM_INTRAOP_THREADS',
  'UV_THREADPOOL_SIZE',
  'WB_PROJECT',
  'WB_USER',
  'WANDB_PROJECT',
  'WANDB_ENTITY',
  'WANDB_MODE',
  'WANDB_BASE_URL',
  'WANDB_RUN_GROUP',
  'WANDB_JOB_TYPE',
  'WANDB_TAGS',
  'WANDB_NOTES',
] as const;

/**
 * The variables of this environment that go into the script, since PBS hands none on. Keys and whatever else is secret
 * are not among them.
 */
export function variablesFor(env: NodeJS.ProcessEnv): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  for (const name of variableNames) {
    const value = env[name];
    // Only those of one line: a note of several is not worth failing for.
    if (value !== undefined && redact(value, env) === value && !/\p{Cc}/u.test(value)) variables.set(name, value);
  }
  return variables;
}
