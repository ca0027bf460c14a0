// Hands a script to the scheduler.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { UserError } from '../errors.js';
import { elementIds, type Scheduler } from './job-resources.js';
import { readAttributes } from './pbs.js';
import { type RunProgram, runSchedulerProgram } from './scheduler-program.js';

const programs = { pbs: 'qsub', slurm: 'sbatch' } as const;
/** Busy schedulers take their time. */
const patienceMs = 60_000;

export interface SubmitParts {
  env?: NodeJS.ProcessEnv;
  run?: RunProgram;
}

function runWith({ env = process.env, run }: SubmitParts): RunProgram {
  return run ?? ((program, args) => runSchedulerProgram(program, args, { env, limitMs: patienceMs }));
}

/** Whose program is on PATH; Slurm before PBS, since Slurm comes with a qsub of its own. Undefined where there is none. */
export function findScheduler(env: NodeJS.ProcessEnv = process.env): Scheduler | undefined {
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const has = (program: string) => folders.some((folder) => isExecutable(join(folder, program)));
  return (['slurm', 'pbs'] as const).find((scheduler) => has(programs[scheduler]));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Submits the script at `path` and returns the job's identifier. `after` is a job that this one waits for.
 * @throws UserError with what the scheduler said.
 */
export async function submitJob(
  scheduler: Scheduler,
  { path, after }: { path: string; after: string | undefined },
  parts: SubmitParts = {},
): Promise<string> {
  const program = programs[scheduler];
  const args =
    scheduler === 'pbs'
      ? // The script itself looks whether it has succeeded.
        [...(after === undefined ? [] : ['-W', `depend=afterany:${after}`]), path]
      : ['--parsable', ...(after === undefined ? [] : [`--dependency=afterok:${after}`]), path];
  const answer = await runWith(parts)(program, args);
  if ('failure' in answer) {
    throw new UserError('The job was not submitted', {
      found: answer.failure,
      mend: `The script is ${path}; mend it or the options, and submit it again`,
    });
  }
  // Sites print notes of their own before it; Slurm adds `;cluster`.
  const id = answer.output.trim().split('\n').at(-1)?.split(';')[0]?.trim() ?? '';
  if (id !== '') return id;
  throw new UserError('The job may not have been submitted', { found: `${program} printed no identifier` });
}

/**
 * The jobs that `--after` means and whose success the script itself has to look for: with PBS the elements of an array,
 * each by itself, as qstat tells them; none with Slurm, which looks for it.
 */
export async function jobsToAwait(
  scheduler: Scheduler,
  after: string | undefined,
  parts: SubmitParts = {},
): Promise<string[]> {
  if (scheduler === 'slurm' || after === undefined) return [];
  if (!after.includes('[]')) return [after];
  const answer = await runWith(parts)('qstat', ['-x', '-f', after]);
  const text = 'failure' in answer ? '' : answer.output;
  const indices = readAttributes(text).get('array_indices_submitted');
  const name = /^Job Id: (.*)$/m.exec(text)?.[1]?.trim() ?? after;
  if (indices !== undefined) return elementIds(name, indices);
  throw new UserError(`Cannot find the elements of the array ${after}`, {
    found: 'failure' in answer ? answer.failure : 'no array_indices_submitted',
    mend: 'Submit without --after when the array is done',
  });
}
