import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '#src/errors.js';
import { lockRun, type RunLockTiming } from '#src/training/run-lock.js';
import { smallDisk } from '../small-disk.js';

let root = '';
let children: ChildProcess[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'deep-cnn-run-lock-'));
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

const lockPath = () => join(root, 'outputs/checkpoints/mine/.lock');
/** The silence is longer than the second that a process which was stopped takes for one. */
const quick = { pollMs: 20, heartbeatMs: 50, silenceMs: 1_200, namelessMs: 200, patienceMs: 800 };
/** The patience is the usual one. */
const { patienceMs: _, ...quickButPatient } = quick;
const theirs = { token: 'theirs', machine: 'node7 boot pids', pid: 17, startTicks: '1', since: '2026-11-24T12:00:00Z' };

/** Locks the name `mine` in this process; `told` collects what is said of waiting. */
function lock({ patient = false, timing = quick as Partial<RunLockTiming>, told = [] as string[] } = {}) {
  return lockRun({ root_dir: root, run_name: 'mine' }, { patient, onWait: (line) => told.push(line), timing });
}

function writeLock(content: string): void {
  mkdirSync(join(root, 'outputs/checkpoints/mine'), { recursive: true });
  writeFileSync(lockPath(), content);
}

/** Another machine's holder, who renews its lock by a clock that stands still in the year 2001. */
function beat(): () => void {
  let time = 1e9;
  const interval = setInterval(() => {
    time += 1e-3;
    utimesSync(lockPath(), time, time);
  }, 50);
  return () => clearInterval(interval);
}

/**
 * A process that prints `ready`, takes the name when the first line comes, prints `held`, and does `body`; or prints why it
 * was refused and ends with code 2. In `body`, `ended` is a promise of the input's end.
 */
function startRun(body = 'await ended;') {
  const program = `
    import { once } from 'node:events';
    const { lockRun } = await import(${JSON.stringify(import.meta.resolve('#src/training/run-lock.js'))});
    const ended = once(process.stdin, 'end');
    console.log('ready');
    await once(process.stdin, 'data');
    const settings = { patient: false, onWait: (line) => console.log(line) };
    let lock;
    try {
      lock = await lockRun({ root_dir: ${JSON.stringify(root)}, run_name: 'mine' }, settings);
    } catch (error) {
      console.log(error.name + ': ' + error.message);
      process.exit(2);
    }
    console.log('held');
    ${body}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  let output = '';
  const ended = once(child, 'close').then(([code]) => code as number | null);
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    child.emit('printed');
  });
  child.stdin.on('error', () => undefined);
  const printed = async (text: string) => {
    while (!output.includes(text)) await once(child, 'printed');
  };
  return {
    child,
    ended,
    ready: () => printed('ready\n'),
    held: () => printed('held\n'),
    begin: () => child.stdin.write('\n'),
    end: () => child.stdin.end(),
    output: () => output,
  };
}

/** Eight runs begin at once; the one that gets the name keeps it until all others have ended. Returns their exit codes. */
async function race(runs: ReturnType<typeof startRun>[]): Promise<(number | null)[]> {
  await Promise.all(runs.map(({ ready }) => ready()));
  for (const run of runs) run.begin();
  const seven = new Promise<void>((resolve) => {
    let count = 0;
    for (const { ended } of runs) void ended.then(() => ++count === runs.length - 1 && resolve());
  });
  await seven;
  for (const run of runs) run.end();
  return await Promise.all(runs.map(({ ended }) => ended));
}

const isRefusal = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof UserError);
  assert.match(error.message, pattern);
  return true;
};

test('of eight runs that start at once under one name, one runs and seven are refused', async () => {
  const runs = Array.from({ length: 8 }, () => startRun('await ended; lock.release();'));
  const codes = await race(runs);
  assert.deepEqual(codes.sort(), [0, 2, 2, 2, 2, 2, 2, 2], runs.map(({ output }) => output()).join(''));
  const winner = runs.find(({ output }) => output().endsWith('\nheld\n'));
  for (const run of runs.filter((other) => other !== winner)) {
    assert.match(
      run.output(),
      new RegExp(
        `^ready\n(Watching for .*a process that the lock does not name.*\n)?UserError: Another run named mine is going on: found process ${winner?.child.pid} on \\S+ since ` +
          `\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\\. Choose another name, such as --run_name=mine-2\\.\n$`,
      ),
    );
  }
  // Empty folders around it may stay: each of the eight may have made one of them.
  assert.equal(existsSync(join(root, 'outputs', 'checkpoints', 'mine')), false);
});

test("of eight runs that take over a killed one's name at once, one runs", async () => {
  const killed = startRun();
  killed.begin();
  await killed.held();
  killed.child.kill('SIGKILL');
  await killed.ended;
  const runs = Array.from({ length: 8 }, () => startRun('await ended; lock.release();'));
  const codes = await race(runs);
  assert.deepEqual(codes.sort(), [0, 2, 2, 2, 2, 2, 2, 2], runs.map(({ output }) => output()).join(''));
});

test('a killed run is recognised at once, without a word, and so is a process number that is used again', async () => {
  const killed = startRun();
  killed.begin();
  await killed.held();
  killed.child.kill('SIGKILL');
  await killed.ended;
  const told: string[] = [];
  const first = await lock({ told, timing: {} });
  const holder = JSON.parse(readFileSync(lockPath(), 'utf8'));
  first.release();
  writeLock(JSON.stringify({ ...holder, token: 'earlier', startTicks: '1' }));
  (await lock({ told, timing: {} })).release();
  assert.deepEqual(told, []);
});

test('a stopped run is alive', async () => {
  const run = startRun();
  run.begin();
  await run.held();
  run.child.kill('SIGSTOP');
  await assert.rejects(lock(), isRefusal(new RegExp(`found process ${run.child.pid} on `)));
});

test('a run in this process counts, too, and only its own release gives its name back', async () => {
  const first = await lock();
  await assert.rejects(lock(), isRefusal(/is going on/));
  assert.ok(first.isHeld());
  first.release();
  assert.ok(!first.isHeld());
  const second = await lock();
  first.release();
  assert.ok(second.isHeld());
  second.release();
});

test('a resumed run waits for one that is ending, and says so once', async () => {
  const first = await lock();
  setTimeout(() => first.release(), 300);
  const told: string[] = [];
  const second = await lock({ patient: true, told, timing: quickButPatient });
  assert.ok(second.isHeld());
  second.release();
  assert.equal(told.length, 1);
  assert.match(
    told[0] ?? '',
    new RegExp(`^Waiting for process ${process.pid} on \\S+ since .*, which is running mine$`),
  );
});

test('a resumed run does not wait for ever', async () => {
  const first = await lock();
  await assert.rejects(
    lock({ patient: true, timing: { ...quick, patienceMs: 200 } }),
    isRefusal(/and resume again\.$/),
  );
  first.release();
});

test('a silent holder on another machine is watched, and then taken over', async () => {
  writeLock(JSON.stringify(theirs));
  for (const patient of [false, true]) {
    writeLock(JSON.stringify(theirs));
    const told: string[] = [];
    const startMs = performance.now();
    const mine = await lock({ patient, told });
    assert.ok(performance.now() - startMs >= quick.silenceMs);
    mine.release();
    assert.equal(told.length, 1);
    assert.match(told[0] ?? '', /^Watching for up to 1 s whether process 17 on node7 since .* is still running mine$/);
  }
});

test('a holder on another machine that renews its lock is alive, whatever its clock says', async () => {
  writeLock(JSON.stringify(theirs));
  const stop = beat();
  await assert.rejects(lock(), isRefusal(/found process 17 on node7 since/));
  const startMs = performance.now();
  await assert.rejects(lock({ patient: true }), isRefusal(/found process 17 on node7 since/));
  assert.ok(performance.now() - startMs >= quick.patienceMs);
  stop();
});

test('a resumed run takes over from a holder on another machine that dies meanwhile', async () => {
  writeLock(JSON.stringify(theirs));
  const stop = beat();
  setTimeout(stop, 400);
  const mine = await lock({ patient: true, timing: quickButPatient });
  assert.ok(mine.isHeld());
  mine.release();
});

for (const [what, content] of [
  ['is empty', ''],
  ['was cut off', JSON.stringify(theirs).slice(0, 30)],
  ['is no lock', '[1]'],
  ['has no numbers', '{"token":"a","machine":"b","pid":"c","startTicks":"1"}'],
  ['would lead elsewhere', JSON.stringify({ ...theirs, token: '../../x' })],
] as const) {
  test(`a lock that ${what} is taken over after a short silence`, async () => {
    writeLock(content);
    const startMs = performance.now();
    const mine = await lock({ timing: { ...quick, silenceMs: 60_000 } });
    assert.ok(performance.now() - startMs >= quick.namelessMs);
    assert.ok(mine.isHeld());
    mine.release();
  });
}

test('a place that cannot be written is a mistake, and nothing is left there', async () => {
  writeFileSync(join(root, 'outputs'), '');
  await assert.rejects(lock(), isRefusal(/^Cannot write to '.*mine': found E.*Choose another --root_dir or make room/));
  rmSync(join(root, 'outputs'));
  mkdirSync(join(root, 'outputs/checkpoints'), { recursive: true });
  writeFileSync(join(root, 'outputs/checkpoints/mine'), '');
  await assert.rejects(lock(), isRefusal(/^Cannot write to /));
  rmSync(join(root, 'outputs/checkpoints/mine'));
  mkdirSync(lockPath(), { recursive: true });
  await assert.rejects(lock(), isRefusal(/^Cannot write to /));
});

test('a full disk is a mistake, and leaves no lock behind', async (t) => {
  const disk = smallDisk(t, 8192);
  if (disk === undefined) return;
  writeFileSync(join(disk, 'filler'), Buffer.alloc(8192));
  const place = { root_dir: disk, run_name: 'mine' };
  await assert.rejects(lockRun(place, { patient: false, onWait: () => {} }), isRefusal(/ENOSPC.*make room there/));
  assert.deepEqual(readdirSync(disk), ['filler']);
});

test('a name is lost to whoever has taken it, but not by the file being gone', async () => {
  const mine = await lock();
  rmSync(join(root, 'outputs'), { recursive: true });
  assert.ok(mine.isHeld());
  assert.ok(existsSync(lockPath()));
  await assert.rejects(lock(), isRefusal(/is going on/));
  writeLock(JSON.stringify(theirs));
  assert.ok(!mine.isHeld());
  mine.release();
  assert.match(readFileSync(lockPath(), 'utf8'), /theirs/);
});

test('a release removes the folders that were made for the lock, unless there is something in them', async () => {
  (await lock()).release();
  assert.deepEqual(readdirSync(root), []);
  mkdirSync(join(root, 'outputs/checkpoints/mine'), { recursive: true });
  (await lock()).release();
  assert.deepEqual(readdirSync(join(root, 'outputs/checkpoints')), []);
  const mine = await lock();
  writeFileSync(join(root, 'outputs/checkpoints/mine/last'), '');
  mine.release();
  assert.deepEqual(readdirSync(join(root, 'outputs/checkpoints/mine')), ['last']);
});

test('the name that is suggested is free', async () => {
  const mine = await lock();
  mkdirSync(join(root, 'outputs/checkpoints/mine-2'));
  mkdirSync(join(root, 'outputs/models'));
  writeFileSync(join(root, 'outputs/models/mine-3.safetensors'), '');
  await assert.rejects(lock(), isRefusal(/--run_name=mine-4\.$/));
  mine.release();
  const place = { root_dir: root, run_name: 'mine-3' };
  const settings = { patient: false, onWait: () => {} };
  const third = await lockRun(place, settings);
  await assert.rejects(lockRun(place, settings), isRefusal(/--run_name=mine-4\.$/));
  third.release();
});

test('a lock is renewed while a step blocks the event loop, and until it is released', async () => {
  const mine = await lock();
  const timeOf = () => statSync(lockPath()).mtimeMs;
  const first = timeOf();
  while (timeOf() === first) await sleep(20);
  const before = timeOf();
  const endMs = performance.now() + 300_000;
  while (timeOf() === before && performance.now() < endMs) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  }
  assert.ok(timeOf() > before);
  mine.release();
});

test('a process that holds a name ends when it has nothing else to do', async () => {
  const run = startRun('');
  run.begin();
  run.end();
  assert.equal(await run.ended, 0);
});
