// The files of a run that was killed somewhere and goes on.
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { EpochResult, TrainingEvent } from '#src/reporting/events.js';
import { createReporters } from '#src/reporting/reporters.js';
import { nameRunFiles, type RunFiles } from '#src/reporting/run-files.js';
import { closing, epochEnd, FakeScreen, metrics, noon, opening } from './run.js';

let folder = '';
let files: RunFiles;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'deep-cnn-resumed-'));
  files = nameRunFiles({ root_dir: folder, run_name: 'mine' }, noon);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Odd numbers, as a run has them; `attempt` makes the timings differ. */
function epoch(number: number, attempt = 0): TrainingEvent {
  const event = epochEnd(number, metrics(1 / number));
  if (event.kind !== 'epoch-end') throw new Error('internal: another event');
  const changed = { train: metrics(Math.sqrt(number)), seconds: 10 + attempt, imagesPerSecond: 20 + attempt };
  return { kind: 'epoch-end', result: { ...event.result, ...changed } };
}

function resultOf(event: TrainingEvent): EpochResult {
  if (event.kind !== 'epoch-end') throw new Error('internal: another event');
  return event.result;
}

/** Tells of a run, or of a part of it; it is killed at its end unless it is closed. */
function tell(events: readonly TrainingEvent[], { deterministic = true } = {}) {
  const reporters = createReporters({
    config: { deterministic, wandb: false, root_dir: folder, run_name: 'mine' },
    files,
    stream: new FakeScreen(),
    now: () => noon,
  });
  for (const event of events) reporters.handle(event);
  return reporters;
}

function resumed(history: readonly EpochResult[]): TrainingEvent[] {
  const [run, device, ...rest] = opening;
  if (!run || !device) throw new Error('internal: too few events');
  return [run, device, { kind: 'resumed', path: 'last.safetensors', epoch: history.length, step: 7, history }, ...rest];
}

const uninterrupted = [1, 2, 3, 4].map((number) => epoch(number));

test('whenever a run was killed, its table ends as if it had not been', async () => {
  await tell([...opening, ...uninterrupted, ...closing]).close();
  const wanted = readFileSync(files.results, 'utf8');
  assert.equal(wanted.split('\n').length, 6);
  // Rows that the checkpoint knows, rows in the file, and bytes that the last row lacks.
  for (const [known, written, cut] of [
    [0, 0, 0],
    [0, 1, 0],
    [1, 1, 0],
    [2, 1, 0],
    [1, 2, 5],
    [2, 3, 70],
    [3, 3, 1],
    [4, 4, 0],
  ] as const) {
    rmSync(join(folder, 'outputs'), { recursive: true });
    tell([...opening, ...[1, 2, 3, 4].slice(0, written).map((number) => epoch(number, 1))]);
    truncateSync(files.results, readFileSync(files.results).length - cut);
    const history = uninterrupted.slice(0, known).map(resultOf);
    await tell([
      ...resumed(history),
      ...[1, 2, 3, 4].slice(known).map((number) => epoch(number, 2)),
      ...closing,
    ]).close();
    assert.equal(readFileSync(files.results, 'utf8'), wanted, `${known}, ${written}, ${cut}`);
    assert.equal(readdirSync(dirname(files.results)).length, 2);
  }
});

test('the table is right as soon as the run goes on', () => {
  tell([...opening, epoch(1), epoch(2)]);
  tell(resumed([resultOf(epoch(1))]));
  assert.match(readFileSync(files.results, 'utf8'), /^epoch,.*\n1,.*\n$/);
});

test('with timings, the rows of before keep theirs', () => {
  tell([...opening, epoch(1, 5)], { deterministic: false });
  tell([...resumed([resultOf(epoch(1, 5))]), epoch(2, 6)], { deterministic: false });
  assert.match(readFileSync(files.results, 'utf8'), /^1,.*,15,25\n2,.*,16,26\n$/m);
});

test('the log goes on after what it holds, in a line of its own', async () => {
  tell([...opening, epoch(1)]);
  const before = readFileSync(files.log, 'utf8');
  appendFileSync(files.log, '2026-11-24 12:00');
  await tell([...resumed([resultOf(epoch(1))]), epoch(2), ...closing]).close();
  const log = readFileSync(files.log, 'utf8');
  assert.ok(log.startsWith(`${before}2026-11-24 12:00\n2026-11-24 12:00:00,123 [INFO]: Model running with`));
  assert.match(log, /Resumed from last\.safetensors at epoch 1, after step 7\n/);
  assert.deepEqual(readdirSync(dirname(files.log)), ['mine20261124_12-00-00.log']);
});

test('files that are gone are made again', async () => {
  await tell([...resumed([resultOf(epoch(1))]), epoch(2), ...closing]).close();
  assert.match(readFileSync(files.log, 'utf8'), /Resumed from/);
  assert.match(readFileSync(files.results, 'utf8'), /^epoch,.*\n1,.*\n2,.*\n$/);
});

test('bad images are listed once, however often the run goes on', async () => {
  const bad = (path: string): TrainingEvent => ({ kind: 'bad-image', path, reason: 'it is empty' });
  tell([...opening, bad('a.jpg'), bad('b.jpg')]);
  await tell([...resumed([]), bad('b.jpg'), bad('c.jpg')]).close();
  assert.equal(
    readFileSync(files.bad, 'utf8'),
    'path,reason\na.jpg,it is empty\nb.jpg,it is empty\nc.jpg,it is empty\n',
  );
});
