// Runs squeue and qstat, which can be missing, slow for minutes when the scheduler is busy, or fail.

import { spawn } from 'node:child_process';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** What the program printed, or why there is nothing, as a phrase. */
export type Answer = { output: string } | { failure: string };

export type RunProgram = (program: string, args: readonly string[]) => Promise<Answer>;

const patienceMs = 10_000;
const outputLimit = 1_000_000;

/**
 * Runs a program of the scheduler without a shell and collects what it prints. Never throws, and answers within
 * `limitMs` of the event loop's time, whatever the program does.
 */
export async function runSchedulerProgram(
  program: string,
  args: readonly string[],
  { env = process.env, limitMs = patienceMs }: { env?: NodeJS.ProcessEnv; limitMs?: number } = {},
): Promise<Answer> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let complaint = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (output.length < outputLimit) output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (complaint.length < outputLimit) complaint += text;
    });
    let isDone = false;
    const timer = setTimeout(giveUp, limitMs);
    child.on('error', (error: NodeJS.ErrnoException) => {
      const isMissing = error.code === 'ENOENT' || error.code === 'EACCES';
      done({ failure: isMissing ? `there is no ${program}` : `${program} did not start: ${error.message}` });
    });
    child.on('close', (status, signal) => {
      if (status === 0) return done({ output });
      const firstLine = complaint.trim().split('\n')[0]?.slice(0, 200);
      done({ failure: `${program} failed: ${firstLine || (signal ?? `exit code ${status}`)}` });
    });

    function done(answer: Answer): void {
      isDone = true;
      clearTimeout(timer);
      resolve(answer);
    }

    async function giveUp(): Promise<void> {
      // After a training step that blocked the thread for longer than the limit, timers come before an answer that has
      // long been there: it gets its turn first.
      for (let turn = 0; turn < 10 && !isDone; turn++) await nextTurn();
      if (isDone) return;
      child.kill('SIGKILL');
      // A grandchild, or a process stuck in a file system, may hold the pipes for ever.
      for (const part of [child.stdout, child.stderr]) part.destroy();
      child.unref();
      done({ failure: `${program} did not answer within ${limitMs / 1000} s` });
    }
  });
}
