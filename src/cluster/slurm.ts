// The time that Slurm leaves a job: https://slurm.schedmd.com/squeue.html (format %L).

import type { Job } from './job.js';
import type { RunProgram } from './scheduler-program.js';
import { parseClock, type TimeLeft } from './time-left.js';

/** What the job's environment says, without asking anybody; it is as old as the job. */
export function slurmTimeFromEnvironment(env: NodeJS.ProcessEnv, wallMs: number): TimeLeft | undefined {
  const endSeconds = Number(env['SLURM_JOB_END_TIME']);
  const leftMs = endSeconds * 1000 - wallMs;
  // No limit is written as a time that is centuries away, or as 0.
  if (!(endSeconds > 0) || leftMs <= 0 || leftMs > 20 * 365 * 86_400_000) return undefined;
  return { kind: 'limited', leftMs };
}

/** Asks squeue, which knows of limits that were changed and counts from the last start of a job that was requeued. */
export async function askSlurm(job: Job, run: RunProgram): Promise<TimeLeft> {
  const answer = await run('squeue', ['-h', '-j', job.id, '-o', '%L']);
  if ('failure' in answer) return { kind: 'unknown', reason: answer.failure };
  return readTimeLeft(answer.output);
}

/** Reads what squeue printed: a line for each part of a job, of which the earliest end counts. */
function readTimeLeft(output: string): TimeLeft {
  const words = output.split('\n').flatMap((line) => line.trim() || []);
  const seconds = words.flatMap((word) => parseClock(word) ?? []);
  if (seconds.length > 0) return { kind: 'limited', leftMs: Math.min(...seconds) * 1000 };
  if (words.length > 0 && words.every((word) => word === 'UNLIMITED')) return { kind: 'unlimited' };
  const said = words[0]?.slice(0, 40);
  return { kind: 'unknown', reason: said === undefined ? 'squeue knows no such job' : `squeue says ${said}` };
}
