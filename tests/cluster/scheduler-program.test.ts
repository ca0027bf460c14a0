import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runSchedulerProgram } from '#src/cluster/scheduler-program.js';
import { makeFakeScheduler } from './fake-scheduler.js';

const scheduler = makeFakeScheduler();
const { env } = scheduler;

test('a program that hangs is given up, even if others hold its pipes', async () => {
  scheduler.write('squeue', '/bin/sleep 5; echo late');
  const started = performance.now();
  const answer = await runSchedulerProgram('squeue', [], { env, limitMs: 200 });
  assert.deepEqual(answer, { failure: 'squeue did not answer within 0.2 s' });
  assert.ok(performance.now() - started < 10_000);
});

test('a program that was given up is killed', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'deep-cnn-pid-')), 'pid');
  after(() => rmSync(dirname(path), { recursive: true }));
  scheduler.write('squeue', `echo $$ > ${path}; exec /bin/sleep 30`);
  await runSchedulerProgram('squeue', [], { env, limitMs: 1000 });
  const pid = readFileSync(path, 'utf8').trim();
  const isRunning = () => existsSync(`/proc/${pid}`);
  for (let tries = 0; tries < 100 && isRunning(); tries++) await sleep(20);
  assert.ok(!isRunning());
});

test('an answer that came while a step blocked the thread counts, though the limit has passed', async () => {
  scheduler.write('squeue', 'echo 1:00');
  const answer = runSchedulerProgram('squeue', [], { env, limitMs: 500 });
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
  assert.deepEqual(await answer, { output: '1:00\n' });
});

test('arguments reach the program as they are', async () => {
  scheduler.write('qstat', 'echo "$#:$2"');
  assert.deepEqual(await runSchedulerProgram('qstat', ['-f', '$(id) "x y"'], { env }), { output: '2:$(id) "x y"\n' });
});

test('endless output fills no memory', async () => {
  scheduler.write('qstat', 'exec /usr/bin/head -c 50000000 /dev/zero');
  const answer = await runSchedulerProgram('qstat', [], { env });
  assert.ok('output' in answer && answer.output.length < 2_000_000);
});
