import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runSchedulerProgram } from '#src/cluster/scheduler-program.js';
import { makeFakeScheduler } from './fake-scheduler.js';

const scheduler = makeFakeScheduler();
const { env } = scheduler;

/** Where a stand-in writes the number of a process, and a way to read it: undefined until it is there. */
function pidFile(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-pid-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'pid');
  const read = () => (existsSync(path) && /^(\d+)\n/.exec(readFileSync(path, 'utf8'))?.[1]) || undefined;
  return { path, read };
}

/** Gives a program up that never ends, once it has written the number of a process. */
async function giveUp(read: () => string | undefined) {
  for (let limitMs = 200; ; limitMs *= 2) {
    const answer = await runSchedulerProgram('squeue', [], { env, limitMs });
    assert.deepEqual(answer, { failure: `squeue did not answer within ${limitMs / 1000} s` });
    const pid = read();
    if (pid !== undefined) return Number(pid);
  }
}

/** Z of one that has ended, and that its parent has not yet noticed; undefined of one that is gone. */
function stateOf(pid: number | string): string | undefined {
  try {
    return /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

test('a program that hangs is given up, even if others hold its pipes', async (t) => {
  const { path, read } = pidFile(t);
  scheduler.write('squeue', `/bin/sleep 600 & echo $! > ${path}; wait; echo late`);
  const holder = await giveUp(read);
  assert.match(stateOf(holder) ?? '', /[^Z]/);
  process.kill(holder, 'SIGKILL');
});

test('a program that was given up is killed', async (t) => {
  const { path, read } = pidFile(t);
  scheduler.write('squeue', `echo $$ > ${path}; exec /bin/sleep 600`);
  const pid = await giveUp(read);
  const endMs = performance.now() + 300_000;
  while (stateOf(pid) !== undefined && performance.now() < endMs) await sleep(20);
  assert.equal(stateOf(pid), undefined);
});

test('an answer that came while a step blocked the thread counts, though the limit has passed', async (t) => {
  const { path, read } = pidFile(t);
  scheduler.write('squeue', `echo $$ > ${path}; echo 1:00`);
  const limitMs = 500;
  const startMs = performance.now();
  const answer = runSchedulerProgram('squeue', [], { env, limitMs });
  const block = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  while (performance.now() - startMs < 2 * limitMs || stateOf(read() ?? '') !== 'Z') block();
  assert.deepEqual(await answer, { output: '1:00\n' });
});

test('arguments reach the program as they are', async () => {
  scheduler.write('qstat', 'echo "$#:$2"');
  assert.deepEqual(await runSchedulerProgram('qstat', ['-f', '$(id) "x y"'], { env, limitMs: 300_000 }), {
    output: '2:$(id) "x y"\n',
  });
});

test('endless output fills no memory', async () => {
  scheduler.write('qstat', 'exec /usr/bin/head -c 50000000 /dev/zero');
  const answer = await runSchedulerProgram('qstat', [], { env, limitMs: 300_000 });
  assert.ok('output' in answer && answer.output.length < 2_000_000);
});
