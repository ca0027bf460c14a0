// Real signals to real processes.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-signals-'));
const children = new Set<ChildProcess>();
after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
const program = join(import.meta.dirname, 'signals-program.js');

interface Run {
  child: ChildProcess;
  output: () => string;
  /** Lets so many steps end. */
  endSteps: (count?: number) => void;
  /** Lets the save end, or what there is of a set-up. */
  endWait: () => void;
  /** Waits until the text was printed. */
  printed: (text: string | RegExp) => Promise<void>;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

interface Setting {
  /** Before the program's own command. */
  through?: readonly string[];
  flags?: readonly string[];
  echoMs?: number;
  /** Where the program writes how it ended. */
  result?: string;
}

function start({ through = [], flags = [], echoMs, result }: Setting = {}): Run {
  const [command = '', ...args] = [...through, process.execPath, program, ...flags];
  const own = { ...(result && { RESULT: result }), ...(echoMs !== undefined && { ECHO_MS: String(echoMs) }) };
  const child = spawn(command, args, {
    env: { ...process.env, _: command, ...own },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  });
  children.add(child);
  const word = child.stdio[3] as Writable;
  for (const stream of [child.stdin, word]) stream.on('error', () => undefined);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      child.emit('printed');
    });
  }
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }));
  const printed = async (text: string | RegExp) => {
    while (!(typeof text === 'string' ? output.includes(text) : text.test(output))) {
      assert.equal(child.exitCode ?? child.signalCode, null, `it ended before ${text}: ${output}`);
      await Promise.race([once(child, 'printed'), ended]);
    }
  };
  return {
    child,
    output: () => output,
    endSteps: (count = 1) => child.stdin.write('\n'.repeat(count)),
    endWait: () => word.write('.'),
    printed,
    ended,
  };
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGXCPU'] as const) {
  test(`${signal} lets the run finish its step, save and exit with 75`, async () => {
    const run = start();
    run.endSteps();
    await run.printed('step 2');
    run.child.kill(signal);
    run.endSteps();
    run.endWait();
    assert.deepEqual(await run.ended, { code: 75, signal: null }, run.output());
    // No step more than the one that was under way, no debugger, nothing else.
    assert.equal(run.output(), `ready\nstep 1\nstep 2\nsaving after ${signal}\nsaved\nexit handlers\n`);
  });
}

test('a second SIGINT ends the program in the middle of a step, by the kernel', async () => {
  const run = start({ flags: ['--long'] });
  await run.printed('step 1');
  run.child.kill('SIGINT');
  run.endSteps();
  await run.printed('long step');
  run.child.kill('SIGINT');
  assert.deepEqual(await run.ended, { code: null, signal: 'SIGINT' });
  assert.equal(run.output(), 'ready\nstep 1\nlong step\n');
});

test('a second SIGINT ends the program during a save', async () => {
  const run = start();
  await run.printed('step 1');
  run.child.kill('SIGINT');
  run.endSteps();
  await run.printed('saving');
  run.child.kill('SIGINT');
  assert.deepEqual(await run.ended, { code: null, signal: 'SIGINT' });
  assert.ok(!run.output().includes('saved'));
});

test('two SIGINTs within one step are two', async () => {
  const run = start();
  await run.printed('step 1');
  run.child.kill('SIGINT');
  await delivered(run.child.pid);
  run.child.kill('SIGINT');
  run.endSteps();
  run.endWait();
  assert.deepEqual(await run.ended, { code: null, signal: 'SIGINT' });
  assert.equal(run.output(), 'ready\nstep 1\nexit handlers\n');
});

test('signals that schedulers repeat, and a SIGINT among them, do not disturb the save', async () => {
  const run = start();
  await run.printed('step 1');
  run.child.kill('SIGTERM');
  run.endSteps();
  await run.printed('saving');
  for (const signal of ['SIGTERM', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGINT', 'SIGTERM'] as const) {
    run.child.kill(signal);
    await delivered(run.child.pid);
  }
  run.endWait();
  assert.deepEqual(await run.ended, { code: 75, signal: null });
  assert.match(run.output(), /saving after SIGTERM\nsaved\n/);
});

test('listeners that were added later can neither end the run nor keep a second SIGINT away', async () => {
  const saved = start({ flags: ['--foreign'] });
  saved.endSteps();
  await saved.printed('step 2');
  saved.child.kill('SIGTERM');
  saved.endSteps();
  saved.endWait();
  assert.deepEqual(await saved.ended, { code: 75, signal: null });

  const killed = start({ flags: ['--foreign', '--long'] });
  killed.endSteps();
  await killed.printed('step 2');
  killed.child.kill('SIGINT');
  killed.endSteps();
  await killed.printed('long step');
  killed.child.kill('SIGINT');
  assert.deepEqual(await killed.ended, { code: null, signal: 'SIGINT' });
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1'] as const) {
  test(`${signal} during the set-up ends the program at once`, async () => {
    const fresh = start({ flags: ['--set-up'] });
    await fresh.printed('ready');
    fresh.child.kill(signal);
    assert.deepEqual(await fresh.ended, { code: null, signal });
    assert.equal(fresh.output(), 'ready\nexit handlers\n');

    const resumable = start({ flags: ['--set-up', '--resumable'] });
    await resumable.printed('ready');
    resumable.child.kill(signal);
    assert.deepEqual(await resumable.ended, { code: 75, signal: null });
  });
}

test('SIGHUP is ignored under nohup, before and after the start', async () => {
  const run = start({ through: ['nohup'] });
  await run.printed('step 1');
  run.child.kill('SIGHUP');
  run.endSteps(3);
  await run.printed('step 4');
  run.child.kill('SIGTERM');
  run.endSteps();
  run.endWait();
  assert.deepEqual(await run.ended, { code: 75, signal: null });
  assert.match(run.output(), /saving after SIGTERM/);

  const settingUp = start({ through: ['nohup'], flags: ['--set-up'] });
  await settingUp.printed('ready');
  settingUp.child.kill('SIGHUP');
  settingUp.endWait();
  await settingUp.printed('set up');
  settingUp.child.kill('SIGTERM');
  assert.deepEqual(await settingUp.ended, { code: null, signal: 'SIGTERM' });
});

test('under an npm that sends each SIGINT once more, one key press saves and two end the program', async () => {
  // What npm does with bash as its shell: the program's parent is npm.
  const npm = join(folder, 'npm');
  writeFileSync(npm, '#!/bin/sh\n"$@"\nexit $?\n', { mode: 0o755 });
  const interrupt = async (pid: number) => {
    process.kill(pid, 'SIGINT');
    await delivered(pid);
  };

  // The echo comes within the same step, or later.
  for (const isLate of [false, true]) {
    const saved = start({ through: [npm], echoMs: 600_000 });
    await saved.printed('step 1');
    const pid = childOf(saved.child);
    await interrupt(pid);
    if (!isLate) await interrupt(pid);
    saved.endSteps();
    await saved.printed('saving');
    if (isLate) await interrupt(pid);
    saved.endWait();
    assert.deepEqual(await saved.ended, { code: 75, signal: null }, saved.output());
    assert.match(saved.output(), /saving after SIGINT\nsaved/);
  }

  const killed = start({ through: [npm] });
  await killed.printed('step 1');
  const pid = childOf(killed.child);
  await interrupt(pid);
  await interrupt(pid);
  killed.endSteps();
  await killed.printed('saving');
  // When the time of echoes is over, the next one is the kernel's.
  await until(() => !hasInterrupt(pid, 'SigCgt'));
  process.kill(pid, 'SIGINT');
  assert.deepEqual(await killed.ended, { code: 130, signal: null });
  assert.ok(!killed.output().includes('saved'));
});

test('a closed pipe stops the run like a signal, and ends a set-up', async () => {
  const result = join(folder, 'piped');
  const run = start({ flags: ['--screen'], result });
  run.endSteps();
  await run.printed('step 2');
  run.child.stdout?.destroy();
  run.endSteps(10);
  run.endWait();
  assert.deepEqual(await run.ended, { code: 75, signal: null });
  assert.equal(readFileSync(result, 'utf8'), 'saved after SIGPIPE, lost EPIPE');

  const settingUp = start({ flags: ['--set-up', '--screen'] });
  await settingUp.printed('ready');
  settingUp.child.stdout?.destroy();
  settingUp.endWait();
  assert.deepEqual(await settingUp.ended, { code: 141, signal: null });
});

test('a full disk in place of the screen does not stop the run', async () => {
  const result = join(folder, 'full');
  const run = start({ through: ['sh', '-c', '"$@" > /dev/full; exit $?', 'sh'], flags: ['--screen'], result });
  await until(() => textOf(result) === 'running');
  process.kill(childOf(run.child), 'SIGTERM');
  run.endSteps();
  run.endWait();
  assert.deepEqual(await run.ended, { code: 75, signal: null });
  assert.equal(readFileSync(result, 'utf8'), 'saved after SIGTERM, lost ENOSPC');
});

test('a terminal that is closed lets the run save', async () => {
  const result = join(folder, 'terminal');
  const run = start({
    through: ['bash', '-c', 'exec script -qec "$(printf "%q " "$@")" /dev/null', 'bash'],
    flags: ['--screen'],
    result,
  });
  run.endSteps();
  await run.printed('step 2');
  run.child.kill('SIGKILL');
  run.endWait();
  await until(
    () => textOf(result) === 'saved after SIGHUP, lost EIO',
    () => textOf(result),
  );
});

const textOf = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '');

/** Waits until it is so. */
async function until(condition: () => boolean, found: () => string = () => ''): Promise<void> {
  const endMs = performance.now() + 300_000;
  while (!condition()) {
    assert.ok(performance.now() < endMs, `it never came to pass: ${found()}`);
    await sleep(5);
  }
}

/** Waits until no signal is pending any more: a second one of a kind that is still pending would not count. */
function delivered(pid: number | undefined): Promise<void> {
  return until(() => !/^(SigPnd|ShdPnd):\s*0*[1-9a-f]/m.test(statusOf(pid)));
}

/** Whether SIGINT is in one of a process's signal masks. */
function hasInterrupt(pid: number, mask: string): boolean {
  const bits = new RegExp(`^${mask}:\\s*([\\da-f]+)`, 'm').exec(statusOf(pid))?.[1] ?? '0';
  return (BigInt(`0x${bits}`) & (1n << BigInt(constants.signals.SIGINT - 1))) !== 0n;
}

const statusOf = (pid: number | undefined) => readFileSync(`/proc/${pid}/status`, 'utf8');

/** The one process that another one runs. */
function childOf({ pid }: ChildProcess): number {
  const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
  assert.ok(child > 1, 'no single child');
  return child;
}
