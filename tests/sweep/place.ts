// A folder with a sweep in it, and processes that work on it.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from '#src/errors.js';
import { ensureOptuna } from '#src/sweep/install-optuna.js';
import { Study, type StudyState } from '#src/sweep/study.js';

/** Why no sweep can run here; undefined where one can. Installs Optuna where it is not there. */
export async function lackOfOptuna(): Promise<string | undefined> {
  try {
    await ensureOptuna();
    return undefined;
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

export const workerProgram = fileURLToPath(new URL('./worker.js', import.meta.url));

export interface Worker {
  process: ChildProcess;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; output: string }>;
}

export class SweepPlace {
  readonly root = mkdtempSync(join(tmpdir(), 'deep-cnn-sweep-'));
  readonly name: string;
  readonly file: string;

  constructor(name: string, yaml: string) {
    this.name = name;
    this.file = join(this.root, `${name}.yaml`);
    writeFileSync(this.file, yaml);
    for (const split of ['train', 'val']) mkdirSync(join(this.root, 'data', split), { recursive: true });
  }

  start(options: Readonly<Record<string, string>> = {}, env: NodeJS.ProcessEnv = {}): Worker {
    const all = { root_dir: this.root, data_dir: join(this.root, 'data'), ...options };
    const words = Object.entries(all).map(([name, value]) => `--${name}=${value}`);
    const child = spawn(process.execPath, [workerProgram, 'sweep', this.file, ...words], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    return {
      process: child,
      ended: new Promise((resolve) => {
        const end = (code: number | null, signal: NodeJS.Signals | null) => resolve({ code, signal, output });
        child.on('close', end);
        // What a killed one was training lives on, with its output.
        child.on('exit', (code, signal) => signal !== null && end(code, signal));
      }),
    };
  }

  /** Works on the sweep alone, to its end. */
  run(options?: Readonly<Record<string, string>>, env?: NodeJS.ProcessEnv) {
    return this.start(options, env).ended;
  }

  get folder(): string {
    return join(this.root, 'outputs', 'sweeps', this.name);
  }

  async study(): Promise<Study> {
    const optuna = await ensureOptuna();
    return new Study({ optuna, folder: this.folder, name: this.name, storage: undefined });
  }

  async state(): Promise<StudyState> {
    return (await this.study()).show();
  }

  /** The lines of one of the stand-in's records. */
  recorded(name: 'starts' | 'overlaps' | 'tests'): string[] {
    const path = join(this.root, 'outputs', name);
    return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
  }

  /** How often a trial was told, by the journal. */
  toldTwice(): string[] {
    const journal = readFileSync(join(this.folder, 'journal.log'), 'utf8').trim().split('\n');
    const told = journal
      .map((line) => JSON.parse(line) as { op_code: number; trial_id: number; state?: number })
      .filter(({ op_code: kind, state }) => kind === 6 && state !== undefined && state !== 0)
      .map(({ trial_id: trial }) => String(trial));
    return told.filter((trial, index) => told.indexOf(trial) < index);
  }

  files(): string[] {
    return readdirSync(this.folder).sort();
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
