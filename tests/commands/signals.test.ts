// Real signals to real processes.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-signals-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const program = join(import.meta.dirname, 'signals-program.js');
/** Signals so far apart are certainly two, and both come within one blocked step. */
const pauseMs = 60;

interface Run {
  child: ChildProcess;
  output: () => string;
  /** Waits until the text was printed. */
  printed: (text: string | RegExp) => Promise<void>;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

interface Setting {
  /** Before the program's own command. */
  through?: readonly string[];
  flags?: readonly string[];
  stepMs?: number;
  /** Where the program writes how it ended. */
  result?: string;
}

function start({ through = [], flags = [], stepMs = 200, result }: Setting = {}): Run {
  const [command = '', ...args] = [...through, process.execPath, program, ...flags];
  const env = { ...process.env, STEP_MS: String(stepMs), _: command, ...(result && { RESULT: result }) };
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
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
  return { child, output: () => output, printed, ended };
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGXCPU'] as const) {
  test(`${signal} lets the run finish its step, save and exit with 75`, async () => {
    const run = start();
    await run.printed('step 2');
    run.child.kill(signal);
    assert.deepEqual(await run.ended, { code: 75, signal: null }, run.output());
    // No step more than the one that was under way, no debugger, nothing else.
    assert.equal(run.output(), `ready\nstep 1\nstep 2\nsaving after ${signal}\nsaved\nexit handlers\n`);
  });
}

test('a second SIGINT ends the program in the middle of a step, by the kernel', async () => {
  const run = start({ flags: ['--long'] });
  await run.printed('step 1');
  run.child.kill('SIGINT');
  await run.printed('long step');
  run.child.kill('SIGINT');
  assert.deepEqual(await run.ended, { code: null, signal: 'SIGINT' });
  assert.equal(run.output(), 'ready\nstep 1\nlong step\n');
});

test('a second SIGINT ends the program during a save', async () => {
  const run = start();
  await run.printed('step 1');
  run.child.kill('SIGINT');
  await run.printed('saving');
  run.child.kill('SIGINT');
  assert.deepEqual(await run.ended, { code: null, signal: 'SIGINT' });
  assert.ok(!run.output().includes('saved'));
});

test('two SIGINTs within one step are two', async () => {
  const run = start({ stepMs: 1000 });
  await run.printed('step 1');
  run.child.kill('SIGINT');
  await sleep(pauseMs);
  run.child.kill('SIGINT');
  assert.deepEqual(await run.ended, { code: null, signal: 'SIGINT' });
  assert.equal(run.output(), 'ready\nstep 1\nexit handlers\n');
});

test('signals that schedulers repeat, and a SIGINT among them, do not disturb the save', async () => {
  const run = start();
  await run.printed('step 1');
  run.child.kill('SIGTERM');
  await run.printed('saving');
  for (const signal of ['SIGTERM', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGINT', 'SIGTERM'] as const) {
    run.child.kill(signal);
    await sleep(pauseMs);
  }
  assert.deepEqual(await run.ended, { code: 75, signal: null });
  assert.match(run.output(), /saving after SIGTERM\nsaved\n/);
});

test('listeners that were added later can neither end the run nor keep a second SIGINT away', async () => {
  const saved = start({ flags: ['--foreign'] });
  await saved.printed('step 2');
  saved.child.kill('SIGTERM');
  assert.deepEqual(await saved.ended, { code: 75, signal: null });

  const killed = start({ flags: ['--foreign', '--long'] });
  await killed.printed('step 2');
  killed.child.kill('SIGINT');
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
  await run.printed('step 4');
  run.child.kill('SIGTERM');
  assert.deepEqual(await run.ended, { code: 75, signal: null });
  assert.match(run.output(), /saving after SIGTERM/);

  const settingUp = start({ through: ['nohup'], flags: ['--set-up'] });
  await settingUp.printed('ready');
  settingUp.child.kill('SIGHUP');
  await sleep(300);
  settingUp.child.kill('SIGTERM');
  assert.deepEqual(await settingUp.ended, { code: null, signal: 'SIGTERM' });
});

test('under an npm that sends each SIGINT once more, one key press saves and two end the program', async () => {
  // What npm does with bash as its shell: the program's parent is npm.
  const npm = join(folder, 'npm');
  writeFileSync(npm, '#!/bin/sh\n"$@"\nexit $?\n', { mode: 0o755 });
  const press = async (pid: number) => {
    process.kill(pid, 'SIGINT');
    await sleep(5);
    process.kill(pid, 'SIGINT');
  };

  for (const stepMs of [20, 1000]) {
    const saved = start({ through: [npm], stepMs });
    await saved.printed('step 1');
    await press(childOf(saved.child));
    assert.deepEqual(await saved.ended, { code: 75, signal: null }, saved.output());
    assert.match(saved.output(), /saving after SIGINT\nsaved/);
  }

  const killed = start({ through: [npm] });
  await killed.printed('step 1');
  await press(childOf(killed.child));
  await killed.printed('saving');
  await sleep(400);
  await press(childOf(killed.child)).catch(() => undefined);
  assert.deepEqual(await killed.ended, { code: 130, signal: null });
  assert.ok(!killed.output().includes('saved'));
});

test('a closed pipe stops the run like a signal, and ends a set-up', async () => {
  const result = join(folder, 'piped');
  const run = start({ flags: ['--screen'], result });
  await run.printed('step 2');
  run.child.stdout?.destroy();
  assert.deepEqual(await run.ended, { code: 75, signal: null });
  assert.equal(readFileSync(result, 'utf8'), 'saved after SIGPIPE, lost EPIPE');

  const settingUp = start({ through: ['sh', '-c', '"$@" 2>&1 | :; exit 0', 'sh'], flags: ['--set-up', '--screen'] });
  assert.deepEqual(await settingUp.ended, { code: 0, signal: null });
});

test('a full disk in place of the screen does not stop the run', async () => {
  const result = join(folder, 'full');
  const run = start({ through: ['sh', '-c', '"$@" > /dev/full; exit $?', 'sh'], flags: ['--screen'], result });
  await written(result, 'running');
  process.kill(childOf(run.child), 'SIGTERM');
  assert.deepEqual(await run.ended, { code: 75, signal: null });
  assert.equal(readFileSync(result, 'utf8'), 'saved after SIGTERM, lost ENOSPC');
});

test('a terminal that is closed lets the run save', async () => {
  const result = join(folder, 'terminal');
  const run = start({ through: ['sh', '-c', 'exec script -qec "$*" /dev/null', 'sh'], flags: ['--screen'], result });
  await run.printed('step 2');
  run.child.kill('SIGKILL');
  await written(result, 'saved after SIGHUP, lost EIO');
});

/** Waits until the file holds the text. */
async function written(path: string, text: string): Promise<void> {
  const read = () => (existsSync(path) ? readFileSync(path, 'utf8') : '');
  for (let tries = 0; tries < 200 && read() !== text; tries++) await sleep(50);
  assert.equal(read(), text);
}

/** The one process that another one runs. */
function childOf({ pid }: ChildProcess): number {
  const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
  assert.ok(child > 1, 'no single child');
  return child;
}
