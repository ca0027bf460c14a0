// The jobs of the stand-in for OpenPBS, each a file in FAKE_PBS.

import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface FakeJob {
  /** `1.fake`, or `1[2].fake` for an element of an array. */
  id: string;
  name: string;
  script: string;
  workdir: string;
  /** Of the submitting shell, as PBS_O_* tell of it, and those of -v. */
  variables: Record<string, string>;
  resources: Record<string, string>;
  /** The job after which this one runs. */
  depend: string | undefined;
  index: number | undefined;
  runs: number;
  /** Queued, held, running, finished. */
  state: 'Q' | 'H' | 'R' | 'F';
  startedAt: string | undefined;
  exitCode: number | undefined;
  /** What somebody wants of the job. */
  wish: 'delete' | 'rerun' | undefined;
}

export const home = process.env['FAKE_PBS'] ?? '';
/** All times of the scheduler are divided by it. */
export const speed = Number(process.env['FAKE_PBS_SPEED'] ?? 1);

export const folderOf = (id: string) => join(home, 'jobs', id);
export const jobIds = () => readdirSync(join(home, 'jobs'));

export function readJob(id: string): FakeJob {
  return JSON.parse(readFileSync(join(folderOf(id), 'job.json'), 'utf8'));
}

/** Writes `job`; a new one's folder appears whole, since others list the folders at any time. */
export function writeJob(job: FakeJob): void {
  const folder = folderOf(job.id);
  const staging = existsSync(folder) ? folder : mkdtempSync(join(home, 'new-job-'));
  const path = join(staging, 'job.json');
  writeFileSync(`${path}.${process.pid}`, JSON.stringify(job));
  renameSync(`${path}.${process.pid}`, path);
  if (staging !== folder) renameSync(staging, folder);
}

export function updateJob(id: string, change: Partial<FakeJob>): FakeJob {
  const job = { ...readJob(id), ...change };
  writeJob(job);
  return job;
}

/** `1` of `1.fake` and `1[2].fake`. */
export const sequenceOf = (id: string) => /^\d+/.exec(id)?.[0] ?? id;
