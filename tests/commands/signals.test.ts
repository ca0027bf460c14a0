// Real signals to real processes.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

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
}

function start({ through = [], flags = [], stepMs = 200 }: Setting = {}): Run {
  const [command = '', ...args] = [...through, process.execPath, program, ...flags];
  const env = { ...process.env, STEP_MS: String(stepMs), _: command };
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
