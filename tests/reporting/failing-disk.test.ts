// What becomes of a run's files when the disk is full, or the files are taken away, and the run goes on.
import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { Reporter, TrainingEvent } from '#src/reporting/events.js';
import { createLineFile } from '#src/reporting/line-file.js';
import { createReporters } from '#src/reporting/reporters.js';
import { nameRunFiles, type RunFiles } from '#src/reporting/run-files.js';
import { smallDisk } from '../small-disk.js';
import { epochEnd, FakeScreen, metrics, noon, opening } from './run.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'deep-cnn-failing-disk-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Run {
  files: RunFiles;
  stream: FakeScreen;
  reporters: Reporter;
  tell: (...events: TrainingEvent[]) => void;
}

function startRun(root: string): Run {
  const place = { root_dir: root, run_name: 'mine' };
  const files = nameRunFiles(place, noon);
  const stream = new FakeScreen();
  const reporters = createReporters({
    config: { deterministic: false, wandb: false, ...place },
    files,
    stream,
    now: () => noon,
  });
  const tell = (...events: TrainingEvent[]) => {
    for (const event of events) reporters.handle(event);
  };
  tell(...opening);
  return { files, stream, reporters, tell };
}

const warning = (number: number): TrainingEvent => ({
  kind: 'warning',
  message: `warning ${number}, ${'x'.repeat(100)}`,
});
const badImage = (number: number): TrainingEvent => ({
  kind: 'bad-image',
  path: `/data/${number}${'y'.repeat(100)}.jpg`,
  reason: 'it is cut off',
});

function tellAll({ tell }: Run, number: number): void {
  tell(warning(number), badImage(number), epochEnd(number, metrics(2.5)));
}

/** Whole files, with all that was told in the order in which it was told. */
function assertComplete({ files }: Run, count: number): void {
  const log = readFileSync(files.log, 'utf8');
  assert.match(log, /\n$/);
  const lines = log.trimEnd().split('\n');
  for (const line of lines) assert.match(line, /^2026-11-24 12:00:00,123 \[(INFO|WARNING)\]: /);
  const numbers = (pattern: RegExp, text: string) => [...text.matchAll(pattern)].map(([, number]) => Number(number));
  const all = Array.from({ length: count }, (_, index) => index + 1);
  assert.deepEqual(numbers(/: warning (\d+), x{100}$/gm, log), all);
  assert.deepEqual(numbers(/: Epoch: (\d+) /gm, log), all);
  assert.deepEqual(numbers(/^(\d+),1\.23456,2\.5,.*,18\.81$/gm, readFileSync(files.results, 'utf8')), all);
  assert.equal(readFileSync(files.results, 'utf8').split('\n').length, count + 2);
  assert.deepEqual(numbers(/^\/data\/(\d+)y{100}\.jpg,it is cut off$/gm, readFileSync(files.bad, 'utf8')), all);
  assert.equal(readFileSync(files.bad, 'utf8').split('\n').length, count + 2);
}

const warningsOf = ({ stream }: Run) => stream.lines.filter((line) => line.startsWith('WARNING: cannot write'));

for (const free of [0, 1, 2, 3]) {
  test(`a disk that is full but for ${free} pages: told once a file, and nothing is missing when there is room again`, async (t) => {
    const disk = smallDisk(t, 2 ** 20);
    if (disk === undefined) return;
    const run = startRun(disk);
    const filler = join(disk, 'filler');
    run.tell(warning(1), badImage(1), epochEnd(1, metrics(2.5)));
    assert.equal(warningsOf(run).length, 0);
    const pages = fill(filler);
    writeFileSync(filler, Buffer.alloc((pages - free) * 4096));
    for (let number = 2; number <= 200; number++) tellAll(run, number);
    assert.equal(warningsOf(run).length, 4, warningsOf(run).join());
    for (const line of warningsOf(run)) assert.match(line, /ENOSPC/);
    for (const path of [run.files.log, run.files.results, run.files.bad]) assert.equal(readFileSync(path).at(-1), 0x0a);
    assert.deepEqual(readdirSync(disk).sort(), ['filler', 'outputs']);
    rmSync(filler);
    run.tell(warning(201), badImage(201), epochEnd(201, metrics(2.5)));
    assertComplete(run, 201);
    assert.deepEqual(readdirSync(dirname(run.files.results)).length, 2);
    await run.reporters.close();
    assertComplete(run, 201);
    assert.equal(warningsOf(run).length, 4);
  });
}

/** Fills a file system with one file; returns its pages. */
function fill(path: string): number {
  try {
    for (;;) appendFileSync(path, Buffer.alloc(4096));
  } catch {
    return Math.floor(statSync(path).size / 4096);
  }
}

test('room that comes at the very end is used', async (t) => {
  const disk = smallDisk(t, 2 ** 20);
  if (disk === undefined) return;
  const run = startRun(disk);
  fill(join(disk, 'filler'));
  for (let number = 1; number <= 200; number++) tellAll(run, number);
  rmSync(join(disk, 'filler'));
  await run.reporters.close();
  assertComplete(run, 200);
});

test('a disk that stays full is no reason to fail', async (t) => {
  const disk = smallDisk(t, 2 ** 20);
  if (disk === undefined) return;
  const run = startRun(disk);
  fill(join(disk, 'filler'));
  for (let number = 1; number <= 200; number++) tellAll(run, number);
  await run.reporters.close();
  assert.equal(warningsOf(run).length, 4);
});

test('files that are taken away come back: the tables whole, the log from there on', async () => {
  const run = startRun(folder);
  run.tell(warning(1), badImage(1), epochEnd(1, metrics(2.5)));
  rmSync(join(folder, 'outputs'), { recursive: true });
  run.tell(warning(2), badImage(2), epochEnd(2, metrics(2.5)));
  await run.reporters.close();
  assert.deepEqual(warningsOf(run), []);
  assert.match(readFileSync(run.files.results, 'utf8'), /^epoch,.*\n1,.*\n2,.*\n$/);
  assert.match(readFileSync(run.files.log, 'utf8'), /^[^\n]* warning 2, x+\n/);
  assert.match(readFileSync(run.files.bad, 'utf8'), /^path,reason\n\/data\/1y+.*\n\/data\/2y+\.jpg,it is cut off\n$/);
});

test('a folder that can no longer be written is told once a file; its files are whole when it can', async () => {
  const run = startRun(folder);
  run.tell(warning(1), badImage(1), epochEnd(1, metrics(2.5)));
  // A file in the place of the folder keeps out the superuser, too.
  rmSync(join(folder, 'outputs'), { recursive: true });
  writeFileSync(join(folder, 'outputs'), '');
  for (const number of [2, 3]) run.tell(warning(number), badImage(number), epochEnd(number, metrics(2.5)));
  assert.equal(warningsOf(run).length, 4);
  rmSync(join(folder, 'outputs'));
  mkdirSync(join(folder, 'outputs'));
  run.tell(warning(4), badImage(4), epochEnd(4, metrics(2.5)));
  await run.reporters.close();
  assert.match(readFileSync(run.files.results, 'utf8'), /^epoch,.*\n1,.*\n2,.*\n3,.*\n4,.*\n$/);
  assert.match(readFileSync(run.files.log, 'utf8'), /warning 2, x+\n[\s\S]*warning 3, x+\n[\s\S]*warning 4, x+\n/);
  assert.match(readFileSync(run.files.bad, 'utf8'), /^path,reason\n.*1y.*\n.*2y.*\n.*3y.*\n.*4y.*\n$/);
  assert.equal(warningsOf(run).length, 4);
});

test('a table that somebody else has changed is written anew', () => {
  const run = startRun(folder);
  run.tell(epochEnd(1, metrics(2.5)));
  appendFileSync(run.files.results, 'half a ro');
  run.tell(epochEnd(2, metrics(2.5)));
  assert.match(readFileSync(run.files.results, 'utf8'), /^epoch,.*\n1,.*\n2,.*\n$/);
});

test('a log that was cut in a line goes on in a fresh one', async () => {
  const run = startRun(folder);
  appendFileSync(run.files.log, '2026-11-24 12:00:00,123 [INFO]: Ep');
  run.tell(warning(1));
  assert.match(
    readFileSync(run.files.log, 'utf8'),
    /\[INFO\]: Ep\n2026-11-24 12:00:00,123 \[WARNING\]: warning 1, x+\n$/,
  );
});

test('of more lines than can be kept, a line says how many are missing', () => {
  const path = join(folder, 'sub/log');
  writeFileSync(join(folder, 'sub'), '');
  const failures: unknown[] = [];
  const onFailure = (error: unknown) => failures.push(error);
  const lines = createLineFile({ path, onFailure, missing: (count) => `${count} lines are missing here` });
  for (let number = 1; number <= 1234; number++) lines.write(`line ${number}`);
  assert.equal(failures.length, 1);
  rmSync(join(folder, 'sub'));
  lines.write('line 1235');
  const found = readFileSync(path, 'utf8').trimEnd().split('\n');
  assert.deepEqual(
    [found.length, ...found.slice(998)],
    [1002, 'line 999', 'line 1000', '234 lines are missing here', 'line 1235'],
  );
  lines.close();
  assert.equal(readFileSync(path, 'utf8').trimEnd().split('\n').length, 1002);
});
