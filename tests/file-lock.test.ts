import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { acquireLock } from '#src/file-lock.mjs';

const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-lock-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const lockModule = import.meta.resolve('#src/file-lock.mjs');

/** Starts a process that runs `body` with `acquireLock` and the lock's `path` in scope. */
function startHolder(path: string, body: string) {
  const program = `import { acquireLock } from ${JSON.stringify(lockModule)};
    import { spawn } from 'node:child_process';
    import { appendFileSync } from 'node:fs';
    import { text } from 'node:stream/consumers';
    const path = ${JSON.stringify(path)};
    ${body}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const firstLine = new Promise<string>((resolve) => {
    child.stdout.setEncoding('utf8').once('data', (text: string) => resolve(text.trim()));
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, firstLine, ended };
}

test('processes that want one lock take turns', async () => {
  const path = join(folder, 'turns');
  const record = join(folder, 'record');
  const body = `for (let turn = 0; turn < 3; turn += 1) {
    const release = await acquireLock(path);
    appendFileSync(${JSON.stringify(record)}, 'in ');
    await new Promise((resolve) => setTimeout(resolve, 30));
    appendFileSync(${JSON.stringify(record)}, 'out ');
    release();
  }`;
  const holders = [1, 2, 3].map(() => startHolder(path, body));
  assert.deepEqual(await Promise.all(holders.map(({ ended }) => ended)), [0, 0, 0]);
  assert.equal(readFileSync(record, 'utf8'), 'in out '.repeat(9));
  assert.ok(!existsSync(path));
});

test('a live holder is waited for, and named once', async () => {
  const path = join(folder, 'live');
  const { child, firstLine, ended } = startHolder(
    path,
    `const release = await acquireLock(path); console.log('held'); await text(process.stdin); release();`,
  );
  await firstLine;
  const told: string[] = [];
  const release = await acquireLock(path, (holder) => {
    told.push(holder);
    child.stdin.end();
  });
  assert.equal(told.length, 1);
  assert.match(told[0] ?? '', new RegExp(`^process ${child.pid} on `));
  release();
  assert.equal(await ended, 0);
});

test("a killed holder's lock is taken over at once, and what it had started is ended", async () => {
  const path = join(folder, 'killed');
  const { child, firstLine, ended } = startHolder(
    path,
    `await acquireLock(path);
     const orphan = spawn('sleep', ['600'], { stdio: 'ignore' });
     orphan.once('spawn', () => console.log(orphan.pid));
     setTimeout(() => {}, 600_000);`,
  );
  const orphan = Number(await firstLine);
  child.kill('SIGKILL');
  await ended;
  process.kill(orphan, 0);
  const release = await acquireLock(path, () => assert.fail('waited for a dead process'));
  assert.ok(isGone(orphan), 'the orphan is still running');
  release();
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('killed')),
    [],
  );
});

test('a process number that is used again does not keep a lock alive', async () => {
  const path = join(folder, 'reused');
  const release = await acquireLock(path);
  const holder = JSON.parse(readFileSync(path, 'utf8'));
  release();
  writeFileSync(path, JSON.stringify({ ...holder, token: 'earlier', startTicks: '1' }));
  (await acquireLock(path, () => assert.fail('waited for a dead process')))();
});

test('a holder on another machine is waited for while it may be alive', async () => {
  const path = join(folder, 'elsewhere');
  writeFileSync(path, JSON.stringify({ token: 'theirs', machine: 'node7 boot pids', pid: 1, startTicks: '1' }));
  const told: string[] = [];
  const waiting = acquireLock(path, (holder) => told.push(holder));
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.deepEqual(told, ['process 1 on node7']);
  rmSync(path);
  (await waiting)();
});

test('a release leaves alone a lock that has passed to someone else', async () => {
  const path = join(folder, 'passed');
  const release = await acquireLock(path);
  writeFileSync(path, JSON.stringify({ token: 'theirs', machine: 'node7 boot pids', pid: 1, startTicks: '1' }));
  release();
  assert.match(readFileSync(path, 'utf8'), /theirs/);
});

function isGone(pid: number): boolean {
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}
