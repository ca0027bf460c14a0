// When a run has to have ended: by `--time_limit`, or because its batch job ends. A PBS job gets no signal before its
// walltime is over, and a Slurm job's seldom reach it, so that a run has to keep the time itself.
//
// Deadlines are points of the monotonic clock, performance.now(): setting the wall clock moves none of them, and a
// laptop's sleep does not count. The wall clock is read only in the moment in which a scheduler's date is converted; a
// clock that was wrong then is made good when the scheduler is asked again.

import { describeJob, type Job } from './job.js';
import { askPbs } from './pbs.js';
import { type RunProgram, runSchedulerProgram } from './scheduler-program.js';
import { askSlurm, slurmTimeFromEnvironment } from './slurm.js';
import type { TimeLeft } from './time-left.js';

export interface Deadline {
  /** A time of performance.now(), in milliseconds since the start of this process. */
  atMs: number;
  /** Whose it is, for sentences: `the time limit of 2h`, `the walltime of PBS job 12.server`. */
  source: string;
}

export interface FoundDeadline {
  /** The earliest that is known; undefined when there is none. */
  deadline: Deadline | undefined;
  /** A sentence for the user, when the job's end could not be found and no `--time_limit` stands in for it. */
  warning: string | undefined;
}

export interface DeadlineParts {
  /** `--time_limit`, counted from the start of this process. */
  timeLimitSeconds: number | undefined;
  env?: NodeJS.ProcessEnv;
  /** The wall clock, in milliseconds since 1970. */
  wallMs?: () => number;
  /** The clock of deadlines. */
  nowMs?: () => number;
  run?: RunProgram;
}

/** Finds the deadline, asking the job's scheduler where there is one: that takes 10 s at most, and never throws. */
export async function findDeadline(parts: DeadlineParts): Promise<FoundDeadline> {
  const limit = ownLimit(parts.timeLimitSeconds);
  const job = describeJob(parts.env);
  if (!job) return { deadline: limit, warning: undefined };
  const answer = await askJob(job, parts, { trustEnvironment: true });
  return {
    deadline: earliest(limit, answer.deadline),
    warning: limit || answer.reason === undefined ? undefined : unknownEnd(job, answer.reason),
  };
}

export interface WatchedDeadline extends FoundDeadline {
  /** The deadline as it is now known: jobs get more time (`scontrol update`, `qalter`), or less. */
  current(): Deadline | undefined;
  /** Asks no more. */
  close(): void;
}

/** Like `findDeadline`, and asks the scheduler again every `everyMs`, in the background. */
export async function watchDeadline(
  parts: DeadlineParts,
  { everyMs = 600_000 }: { everyMs?: number } = {},
): Promise<WatchedDeadline> {
  const found = await findDeadline(parts);
  const limit = ownLimit(parts.timeLimitSeconds);
  const job = describeJob(parts.env);
  let current = found.deadline;
  let isClosed = false;
  let isAsking = false;
  const timer = job && setInterval(() => void askAgain(job), everyMs).unref();

  async function askAgain(job: Job): Promise<void> {
    if (isAsking) return;
    isAsking = true;
    const { deadline, reason } = await askJob(job, parts, { trustEnvironment: false });
    isAsking = false;
    // Without an answer the old one stands.
    if (!isClosed && reason === undefined) current = earliest(limit, deadline);
  }

  return {
    ...found,
    current: () => current,
    close() {
      isClosed = true;
      clearInterval(timer);
    },
  };
}

/** The job's end; none with a `reason` where it is unknown, and none without where the job may run for ever. */
async function askJob(
  job: Job,
  {
    env = process.env,
    wallMs = Date.now,
    nowMs = () => performance.now(),
    run = (program, args) => runSchedulerProgram(program, args, { env }),
  }: DeadlineParts,
  { trustEnvironment }: { trustEnvironment: boolean },
): Promise<{ deadline?: Deadline; reason?: string }> {
  // What is left is counted from before the question, so that a slow answer makes the deadline no later.
  const askedMs = nowMs();
  const askedWallMs = wallMs();
  const left = await timeLeft();
  if (left.kind === 'unknown') return { reason: left.reason };
  if (left.kind === 'unlimited') return {};
  return { deadline: { atMs: askedMs + left.leftMs, source: sourceOf(job) } };

  async function timeLeft(): Promise<TimeLeft> {
    if (job.scheduler === 'pbs') return askPbs(job, { env, run, wallMs: () => askedWallMs });
    return (trustEnvironment && slurmTimeFromEnvironment(env, askedWallMs)) || askSlurm(job, run);
  }
}

function ownLimit(seconds: number | undefined): Deadline | undefined {
  if (seconds === undefined) return undefined;
  return { atMs: seconds * 1000, source: `the time limit of ${formatSeconds(seconds)}` };
}

function earliest(a: Deadline | undefined, b: Deadline | undefined): Deadline | undefined {
  if (!a || !b) return a ?? b;
  return a.atMs <= b.atMs ? a : b;
}

const timeName = { slurm: 'time limit', pbs: 'walltime' } as const;

const sourceOf = (job: Job) => `the ${timeName[job.scheduler]} of ${job.title}`;

function unknownEnd(job: Job, reason: string): string {
  return `The ${timeName[job.scheduler]} of ${job.title} is unknown (${reason}): give --time_limit to stop in time.`;
}

/** As `--time_limit` takes it, to the second: `2h`, `1h30m`, `20s`. */
function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole === 0) return `${seconds}s`;
  const parts = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'm'],
    [whole % 60, 's'],
  ] as const;
  return parts.flatMap(([count, unit]) => (count > 0 ? `${count}${unit}` : [])).join('');
}
