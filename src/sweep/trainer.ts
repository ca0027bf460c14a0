// The process that trains a trial: this program once more, with the trial's options.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describeJob } from '../cluster/job.js';

/** How a process ended. */
export interface ProcessEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface ChildProgram {
  ended: Promise<ProcessEnd>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts this program with these words and, on top of this process's, this environment. */
export type StartProgram = (words: readonly string[], env: Readonly<Record<string, string>>) => ChildProgram;

/**
 * Starts a program of Node's. It writes to our screen, and is in a session of its own, so that a terminal's Ctrl-C reaches
 * it once, handed on by us. In a batch job it stays in the job's: PBS ends the processes of that session and no others, and
 * a trial must not outlive its job.
 */
export function starterOf(program: string): StartProgram {
  return (words, env) => {
    const child = spawn(process.execPath, [program, ...words], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: describeJob() === undefined,
    });
    return {
      ended: new Promise((resolve, reject) => {
        child.on('error', reject);
        child.on('close', (code, signal) => resolve({ code, signal }));
      }),
      kill: (signal) => child.kill(signal),
    };
  };
}

/** The real one. */
export const startProgram = starterOf(fileURLToPath(new URL('../cli.js', import.meta.url)));

export function describeEnd({ code, signal }: ProcessEnd): string {
  return signal === null ? `exit code ${code}` : signal;
}
