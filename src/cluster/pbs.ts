// The time that PBS leaves a job, from the text of `qstat -f`: OpenPBS and PBS Pro (PBS Professional Reference Guide, "Job
// Attributes") and Torque, which differ in what they print.

import type { Job } from './job.js';
import type { RunProgram } from './scheduler-program.js';
import { sessionAgeMs } from './session-age.js';
import { parseClock, type TimeLeft } from './time-left.js';

/** Asks qstat; where it does not know, Torque's PBS_WALLTIME is counted from the start of the job's script. */
export async function askPbs(
  job: Job,
  { env, run, wallMs }: { env: NodeJS.ProcessEnv; run: RunProgram; wallMs: () => number },
): Promise<TimeLeft> {
  const answer = await run('qstat', ['-f', job.id]);
  const told: TimeLeft =
    'failure' in answer
      ? { kind: 'unknown', reason: answer.failure }
      : readTimeLeft(readAttributes(answer.output), wallMs());
  const walltimeMs = Number(env['PBS_WALLTIME']) * 1000;
  if (told.kind !== 'unknown' || !(walltimeMs > 0)) return told;
  return { kind: 'limited', leftMs: walltimeMs - sessionAgeMs() };
}

/** The attributes of the first job that qstat printed: `    name = value`, long values going on after a tab. */
export function readAttributes(output: string): Map<string, string> {
  const attributes = new Map<string, string>();
  const text = output.replaceAll('\r', '').replaceAll('\n\t', '');
  for (const [, name = '', value = ''] of text.matchAll(/^ +([A-Za-z_][\w.]*) = (.*)$/gm)) {
    if (!attributes.has(name)) attributes.set(name, value.trim());
  }
  return attributes;
}

function readTimeLeft(attributes: ReadonlyMap<string, string>, wallMs: number): TimeLeft {
  if (!attributes.has('job_state')) return { kind: 'unknown', reason: 'qstat printed no job' };
  const seconds = (name: string) => parseClock(attributes.get(name) ?? '');
  const walltime = seconds('Resource_List.walltime');
  const remaining = seconds('Walltime.Remaining');
  const walltimeMs = walltime === undefined ? undefined : walltime * 1000;
  if (remaining !== undefined) return { kind: 'limited', leftMs: remaining * 1000 };
  if (walltimeMs === undefined) return { kind: 'unlimited' };
  // An older qstat shows the whole array (state B) for an element, which may have started long after it.
  if (attributes.get('job_state') === 'B') return { kind: 'limited', leftMs: walltimeMs - sessionAgeMs() };
  const usedMs =
    runningMs(attributes, { wallMs, walltimeMs }) ?? (seconds('resources_used.walltime') ?? Number.NaN) * 1000;
  return { kind: 'limited', leftMs: walltimeMs - (usedMs < walltimeMs ? usedMs : sessionAgeMs()) };
}

/**
 * How long the job has run since its last start, which `resources_used` does not tell exactly: it is minutes old, and
 * may count the time before a requeue. Undefined where the clocks of server and node can't both be right.
 */
function runningMs(
  attributes: ReadonlyMap<string, string>,
  { wallMs, walltimeMs }: { wallMs: number; walltimeMs: number },
): number | undefined {
  // As ctime(3) writes it, in this machine's time zone.
  const startedMs = Date.parse(attributes.get('stime') ?? attributes.get('start_time') ?? '');
  const ranMs = wallMs - startedMs;
  const clockErrorMs = 60_000;
  return ranMs > -clockErrorMs && ranMs < walltimeMs ? Math.max(ranMs, 0) : undefined;
}
