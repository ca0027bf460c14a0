import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, before, beforeEach, suite, test } from 'node:test';
import type { EpochResult, TrainingEvent } from '#src/reporting/events.js';
import { createTensorboard, tensorboardFolder } from '#src/reporting/tensorboard.js';
import { eventRecord, headerRecord, readEvents } from '#src/reporting/tensorboard-record.js';
import { epochEnd, epochStart, metrics, step } from './run.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'deep-cnn-tensorboard-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const fail = (error: unknown) => assert.fail(String(error));
const tested: TrainingEvent = { kind: 'tested', seconds: 1, metrics: metrics(1.5) };

function resultOf(epoch: number, trainLoss: number): EpochResult {
  const event = epochEnd(epoch, metrics(2));
  assert.ok(event.kind === 'epoch-end');
  return { ...event.result, train: metrics(trainLoss) };
}

function resumed(history: EpochResult[], step: number): TrainingEvent {
  return { kind: 'resumed', path: 'last.safetensors', epoch: history.length, step, history };
}

/** Goes on by 4 s each time that it is asked; all begin at the same time. */
function createClock(): () => Date {
  let seconds = 1_800_000_000;
  return () => {
    seconds += 4;
    return new Date(seconds * 1000);
  };
}

/** Lets a run hear the events; without `closed` it is a run that was killed. */
async function run(events: readonly TrainingEvent[], { closed = true, onFailure = fail } = {}): Promise<void> {
  const reporter = createTensorboard({ folder, onFailure, now: createClock() });
  for (const event of events) reporter.handle(event);
  if (closed) await reporter.close();
}

const epoch = (number: number, trainLoss: number): TrainingEvent[] => [
  epochStart(number - 1, 2),
  step(number - 1, 1, 2, { loss: trainLoss + 1 }),
  step(number - 1, 2, 2, { loss: trainLoss - 1 }),
  { kind: 'epoch-end', result: resultOf(number, trainLoss) },
];

const filesOf = (at = folder) =>
  readdirSync(at)
    .filter((name) => name.includes('tfevents'))
    .sort()
    .map((name) => join(at, name));

/** What the event files say of a tag, read by this program. */
function pointsOf(tag: string, at = folder): [step: number, value: number][] {
  const points = new Map<number, number>();
  for (const path of filesOf(at)) {
    for (const event of readEvents(readFileSync(path))) {
      if (event.isRestart) for (const step of points.keys()) if (step >= event.step) points.delete(step);
      const value = event.scalars?.[tag];
      if (value !== undefined) points.set(event.step, Number(value.toFixed(4)));
    }
  }
  return [...points];
}

test('records are framed and checked as TensorFlow frames and checks them', () => {
  // The bytes of TensorBoard's own RecordWriter for the same Event.
  const record = eventRecord({ wallTime: 1.5, step: 300, scalars: { a: 0.5 } });
  assert.equal(record.toString('hex'), expectedRecord);
  assert.deepEqual(
    [...readEvents(Buffer.concat([headerRecord(1.5), record]))],
    [
      { wallTime: 1.5, step: 0, scalars: {}, isRestart: false },
      { wallTime: 1.5, step: 300, scalars: { a: 0.5 }, isRestart: false },
    ],
  );
});
const expectedRecord = '1800000000000000a37f4b2209000000000000f83f10ac022a0a0a080a0161150000003f64076a3f';

test('reading stops where a record is cut off or damaged', () => {
  const records = [1, 2, 3].map((step) => eventRecord({ wallTime: 1, step, scalars: { a: step } }));
  const file = Buffer.concat(records);
  const stepsIn = (bytes: Buffer) => [...readEvents(bytes)].map(({ step }) => step);
  assert.deepEqual(stepsIn(file), [1, 2, 3]);
  const starts = [0, records[0]?.length ?? 0, 2 * (records[0]?.length ?? 0), file.length];
  for (let cut = 0; cut < file.length; cut++) {
    const whole = starts.filter((start) => start !== 0 && start <= cut).length;
    assert.equal(stepsIn(file.subarray(0, cut)).length, whole, `cut after ${cut} bytes`);
    const damaged = Buffer.from(file);
    damaged[cut] = (damaged[cut] ?? 0) ^ 0x10;
    assert.ok(stepsIn(damaged).length < 3, `byte ${cut} damaged`);
  }
});

test('an epoch is a point of each curve, on disk as soon as it is over; the test is another', async () => {
  await run([...epoch(1, 3), ...epoch(2, 2.5)], { closed: false });
  assert.deepEqual(pointsOf('loss/train'), [
    [1, 3],
    [2, 2.5],
  ]);
  assert.deepEqual(pointsOf('loss/val').length, 2);
  assert.deepEqual(pointsOf('precision@1/val')[0], [1, 12.3457]);
  assert.deepEqual(pointsOf('precision@5/train')[0], [1, 100]);
  assert.deepEqual(pointsOf('lr')[1], [2, 0.001]);
  assert.deepEqual(pointsOf('images_per_second')[1], [2, 18.8123]);
  assert.deepEqual(pointsOf('loss/step', join(folder, 'steps')), [
    [2, 3],
    [4, 2.5],
  ]);
  await run([resumed([resultOf(1, 3), resultOf(2, 2.5)], 4), tested]);
  assert.deepEqual(pointsOf('loss/test'), [[2, 1.5]]);
  assert.equal(tensorboardFolder({ root_dir: '/a', run_name: 'b' }), '/a/outputs/tensorboard/b');
});

test('a run that ends before its first epoch leaves nothing', async () => {
  await run([
    { kind: 'run', parameters: {} },
    { kind: 'failed', message: 'no data' },
  ]);
  assert.deepEqual(readdirSync(folder), []);
});

test('a resumed run takes back what came after its checkpoint, and fills in what is missing', async () => {
  await run([...epoch(1, 3), ...epoch(2, 2.5), ...epoch(3, 2)], { closed: false });
  // A second file of the same second, with an epoch that comes again and another that this folder has never seen.
  await run([resumed([resultOf(1, 3), resultOf(2, 2.5)], 4), ...epoch(3, 1.9)], { closed: false });
  const tail = filesOf().at(-1) ?? '';
  writeFileSync(tail, readFileSync(tail).subarray(0, -5));
  assert.deepEqual(pointsOf('loss/train'), [
    [1, 3],
    [2, 2.5],
  ]);
  await run([
    resumed(
      [3, 2.5, 1.9, 1.8].map((loss, index) => resultOf(index + 1, loss)),
      8,
    ),
    ...epoch(5, 1.7),
  ]);
  const expected = [3, 2.5, 1.9, 1.8, 1.7].map((loss, index) => [index + 1, loss]);
  assert.deepEqual(pointsOf('loss/train'), expected);
  assert.deepEqual(
    pointsOf('loss/step', join(folder, 'steps')).map(([step]) => step),
    [2, 4, 6, 10],
  );
  assert.equal(filesOf().length, 3);
});

test('a new run of an old name takes its place', async () => {
  await run([...epoch(1, 3), ...epoch(2, 2.5)]);
  await run(epoch(1, 2.9));
  assert.deepEqual(pointsOf('loss/train'), [[1, 2.9]]);
});

test('a folder that cannot be written is told once, and all points come when it can', async () => {
  const failures: unknown[] = [];
  rmSync(folder, { recursive: true });
  writeFileSync(folder, 'in the way');
  const reporter = createTensorboard({
    folder,
    onFailure: (error) => failures.push(error),
    now: createClock(),
  });
  for (const event of epoch(1, 3)) reporter.handle(event);
  for (const event of epoch(2, 2.5)) reporter.handle(event);
  assert.equal(failures.length, 1);
  rmSync(folder);
  mkdirSync(folder);
  for (const event of epoch(3, 2)) reporter.handle(event);
  await reporter.close();
  assert.equal(failures.length, 1);
  assert.deepEqual(pointsOf('loss/train'), [
    [1, 3],
    [2, 2.5],
    [3, 2],
  ]);
});

const asJson = `
import json, sys
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.util import tensor_util
runs = EventMultiplexer().AddRunsFromDirectory(sys.argv[1])
runs.Reload()
tensor = lambda event: float(tensor_util.make_ndarray(event.tensor_proto))
print(json.dumps({
  run: {tag: [[e.step, round(tensor(e), 4)] for e in runs.Tensors(run, tag)] for tag in found['tensors']}
  for run, found in runs.Runs().items()
}))
`;

suite("TensorBoard's own reader", () => {
  let python: string | undefined;
  let reason = '';
  before(() => {
    ({ python, reason } = findTensorboard());
  });

  test('shows each step of a killed and resumed run once', async (context) => {
    if (python === undefined) return context.skip(reason);
    const root = folder;
    folder = join(root, 'mine');
    await run([...epoch(1, 3), ...epoch(2, 2.5), ...epoch(3, 2)], { closed: false });
    appendFileSync(filesOf().at(-1) ?? '', Buffer.alloc(7, 1));
    await run([resumed([resultOf(1, 3), resultOf(2, 2.5)], 4), ...epoch(3, 1.9), ...epoch(4, 1.8), tested]);
    const read = spawnSync(python, ['-c', asJson, root], { encoding: 'utf8' });
    folder = root;
    assert.equal(read.status, 0, read.stderr);
    const runs = JSON.parse(read.stdout);
    assert.deepEqual(runs.mine['loss/train'], [
      [1, 3],
      [2, 2.5],
      [3, 1.9],
      [4, 1.8],
    ]);
    assert.deepEqual(runs.mine['loss/test'], [[4, 1.5]]);
    assert.deepEqual(
      Object.keys(runs.mine).sort(),
      ['train', 'val', 'test']
        .flatMap((split) => ['loss', 'precision@1', 'precision@5'].map((name) => `${name}/${split}`))
        .concat('lr', 'images_per_second')
        .sort(),
    );
    assert.deepEqual(
      runs['mine/steps']['loss/step'].map(([step]: [number]) => step),
      [2, 4, 6, 8],
    );
  });
});

/** A Python that has TensorBoard: one in the cache, which is made where that is possible. */
function findTensorboard(): { python: string | undefined; reason: string } {
  const cache =
    process.env['DEEP_CNN_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'deep-cnn');
  const place = join(cache, 'tensorboard-reader');
  const python = join(place, 'bin/python');
  const works = () => spawnSync(python, ['-c', 'import tensorboard'], { timeout: 60_000 }).status === 0;
  if (existsSync(python) && works()) return { python, reason: '' };
  rmSync(place, { recursive: true, force: true });
  const made = spawnSync('python3', ['-m', 'venv', place], { encoding: 'utf8', timeout: 120_000 });
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', 'tensorboard'];
  const installed = made.status === 0 && spawnSync(python, pip, { encoding: 'utf8', timeout: 240_000 });
  if (installed && installed.status === 0 && works()) return { python, reason: '' };
  const said = (installed ? installed.stderr : made.stderr) ?? '';
  return { python: undefined, reason: `TensorBoard cannot be installed here: ${said.trim().split('\n').at(-1) ?? ''}` };
}
