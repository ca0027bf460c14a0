// The jobs of the stand-in for OpenPBS. Each is a folder, whose files have one writer each, so that nothing is lost when
// several programs are at work on a job: `job.json` is as it was submitted, `progress.json` is the mom's, and `wish` is what
// somebody wants of the job, until the mom takes it.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface FakeSubmission {
  /** `1.fake`, or `1[2].fake` for an element of an array. */
  id: string;
  name: string;
  script: string;
  workdir: string;
  /** Of the submitting shell, as PBS_O_* tell of it, and those of -v. */
  variables: Record<string, string>;
  resources: Record<string, string>;
  /** The job after which this one runs. */
  depend?: string;
  index?: number;
}

export interface FakeProgress {
  runs: number;
  /** Queued, held, running, finished. */
  state: 'Q' | 'H' | 'R' | 'F';
  startedAt?: string;
  exitCode?: number;
}

export interface FakeJob extends FakeSubmission, FakeProgress {}

/** What the users' commands ask for, or `limit`: the walltime is over. */
export type FakeWish = 'delete' | 'rerun' | 'limit';

/** The jobs below `top`, the folder of one scheduler. */
export class FakeJobs {
  readonly #folder: string;
  readonly #numbers: string;
  readonly #unborn: string;

  constructor(top: string) {
    this.#folder = join(top, 'jobs');
    this.#numbers = join(top, 'numbers');
    this.#unborn = join(top, 'unborn-');
    for (const folder of [this.#folder, this.#numbers]) mkdirSync(folder, { recursive: true });
  }

  ids(): string[] {
    return readdirSync(this.#folder);
  }

  folderOf(id: string): string {
    return join(this.#folder, id);
  }

  read(id: string): FakeJob {
    const part = (name: string) => JSON.parse(readFileSync(join(this.folderOf(id), name), 'utf8'));
    return { ...part('job.json'), ...part('progress.json') };
  }

  /** A number that no other job has, nor gets. */
  newNumber(): number {
    for (let number = readdirSync(this.#numbers).length + 1; ; number++) {
      try {
        writeFileSync(join(this.#numbers, String(number)), '', { flag: 'wx' });
        return number;
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      }
    }
  }

  /** Its folder appears whole, since others list the folders at any time. */
  add(submission: FakeSubmission): void {
    const folder = mkdtempSync(this.#unborn);
    const progress: FakeProgress = { runs: 0, state: submission.depend === undefined ? 'Q' : 'H' };
    writeFileSync(join(folder, 'job.json'), JSON.stringify(submission));
    writeFileSync(join(folder, 'progress.json'), JSON.stringify(progress));
    renameSync(folder, this.folderOf(submission.id));
  }

  setProgress(id: string, progress: FakeProgress): void {
    this.#write(id, 'progress.json', JSON.stringify(progress));
  }

  /** A later wish takes the place of one that the mom has not yet taken. */
  setWish(id: string, wish: FakeWish): void {
    this.#write(id, 'wish', wish);
  }

  takeWish(id: string): FakeWish | undefined {
    const taken = join(this.folderOf(id), 'wish.taken');
    try {
      renameSync(join(this.folderOf(id), 'wish'), taken);
    } catch {
      return undefined;
    }
    const wish = readFileSync(taken, 'utf8');
    rmSync(taken);
    return wish === 'delete' || wish === 'rerun' || wish === 'limit' ? wish : undefined;
  }

  #write(id: string, name: string, text: string): void {
    const path = join(this.folderOf(id), name);
    writeFileSync(`${path}.${process.pid}`, text);
    renameSync(`${path}.${process.pid}`, path);
  }
}

/** `1` of `1.fake` and `1[2].fake`. */
export const sequenceOf = (id: string) => /^\d+/.exec(id)?.[0] ?? id;
