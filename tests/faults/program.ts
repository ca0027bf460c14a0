// The program under test, in processes of its own: the very file that users run.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const root = join(import.meta.dirname, '../../..');
const program = join(root, 'dist/cli.js');
const preload = join(import.meta.dirname, 'kill-at.js');

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  elapsedMs: number;
  output: string;
}

export interface Running {
  child: ChildProcess;
  output: () => string;
  /** Since its start. */
  elapsedMs: () => number;
  /** Waits until the output holds the text; returns whether it ever did. */
  printed: (text: string | RegExp) => Promise<boolean>;
  /** Waits so long, or until the end; returns whether it has not ended. */
  lives: (ms: number) => Promise<boolean>;
  ended: Promise<Ending>;
}

export interface StartSetting {
  env?: Readonly<Record<string, string>>;
  /** Loads the preload that can end the process in the middle of a save. */
  withPreload?: boolean;
  /** A command that runs the program, such as setpriv. */
  through?: readonly string[];
  /** It is killed when it takes longer; a run takes seconds. */
  patienceMs?: number;
}

const children = new Set<ChildProcess>();

process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

export function start(args: readonly string[], setting: StartSetting = {}): Running {
  const { env, withPreload, through = [], patienceMs = 600_000 } = setting;
  const [command = '', ...rest] = [
    ...through,
    process.execPath,
    ...(withPreload ? ['--import', preload] : []),
    program,
    ...args,
  ];
  const startedMs = performance.now();
  const child = spawn(command, rest, { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      child.emit('printed');
    });
  }
  const timer = setTimeout(() => {
    output += `\n[killed by the suite after ${patienceMs} ms]\n`;
    child.kill('SIGKILL');
  }, patienceMs);
  const ended = once(child, 'close').then(([code, signal]): Ending => {
    clearTimeout(timer);
    children.delete(child);
    return { code, signal, elapsedMs: performance.now() - startedMs, output };
  });
  return { child, output: () => output, elapsedMs: () => performance.now() - startedMs, printed, lives, ended };

  async function printed(text: string | RegExp): Promise<boolean> {
    const has = () => (typeof text === 'string' ? output.includes(text) : text.test(output));
    let hasEnded = false;
    void ended.then(() => {
      hasEnded = true;
    });
    while (!has() && !hasEnded) await Promise.race([once(child, 'printed'), ended]);
    return has();
  }

  async function lives(ms: number): Promise<boolean> {
    const over = new AbortController();
    const isFirst = await Promise.race([
      sleep(ms, true, { signal: over.signal }).catch(() => false),
      ended.then(() => false),
    ]);
    over.abort();
    return isFirst;
  }
}

/** Runs to the end. */
export function run(args: readonly string[], setting: StartSetting = {}): Promise<Ending> {
  return start(args, setting).ended;
}

/** `exit code 2` or `SIGKILL`. */
export const endingText = ({ code, signal }: Ending) => signal ?? `exit code ${code}`;
