import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { createScreen, type Screen } from '#src/reporting/progress.js';
import { closing, epochEnd, epochStart, evaluationStep, FakeScreen, metrics, opening, step } from './run.js';

// A bar keeps the process alive until it is closed.
const open: Screen[] = [];
afterEach(async () => {
  for (const screen of open.splice(0)) await screen.close();
});

/** A screen with a clock that the test moves. */
function setUp(columns?: number, isDumb = false) {
  const stream = new FakeScreen(columns);
  const clock = { ms: 1000 };
  const screen = createScreen({ stream, nowMs: () => clock.ms, isDumb });
  open.push(screen);
  const tell = (...events: Parameters<typeof screen.handle>) => screen.handle(...events);
  return { stream, clock, screen, tell };
}

test('a file gets plain lines', async () => {
  const { stream, clock, screen, tell } = setUp();
  for (const event of opening) tell(event);
  for (const epoch of [0, 1]) {
    tell(epochStart(epoch, 4));
    for (let batch = 1; batch <= 4; batch++) {
      clock.ms += 500;
      tell(step(epoch, batch, 4));
    }
    tell({ kind: 'evaluation-start', split: 'val', batches: 1 });
    tell(epochEnd(epoch + 1, metrics(2.5)));
  }
  for (const event of closing) tell(event);
  await screen.close();
  const result =
    'train_precision@1: 12.35 | train_precision@5: 100.00 | val_precision@1: 12.35 | val_precision@5: 100.00';
  assert.equal(
    stream.written,
    `Running on cpu device
There are 48 images in the train DataLoader
There are 12 images in the val DataLoader
There are 20 images in the test DataLoader
Weights from hf:timm/resnet101.tv_in1k:model.safetensors
Model loaded with 42510405 parameters
Epoch 0:  25%|██████                  | 1/4 [00:00<00:01, 2.00batch/s, loss=3.06, 256img/s, wait=3%]
Epoch 0: 100%|████████████████████████| 4/4 [00:02<00:00, 2.00batch/s, loss=3.06, 256img/s, wait=3%]
Calculating validation loss
Epoch: 1 | train_loss: 1.2346 | val_loss: 2.5000 | ${result}
Epoch 1: 100%|████████████████████████| 4/4 [00:02<00:00, 2.00batch/s, loss=3.06, 256img/s, wait=3%]
Calculating validation loss
Epoch: 2 | train_loss: 1.2346 | val_loss: 2.5000 | ${result}
Model trained in: 12.346 seconds
Model tested in: 1.200 seconds
Test | test_loss: 1.5000 | test_precision@1: 12.35 | test_precision@5: 100.00
Saved weights to outputs/models/default.safetensors
LOSS train 1.2346 valid 2.5000 test 1.5000
`,
  );
});

test('a file gets one line of progress a minute', () => {
  const { stream, clock, tell } = setUp();
  tell(epochStart(0, 10_000));
  for (let batch = 1; batch <= 600; batch++) {
    clock.ms += 1000;
    tell(step(0, batch, 10_000));
  }
  assert.deepEqual(
    stream.lines.map((line) => / (\d+)\/10000 /.exec(line)?.[1]),
    ['1', '61', '121', '181', '241', '301', '361', '421', '481', '541'],
  );
});

test('a terminal without cursor movement gets plain lines', () => {
  const { stream, tell } = setUp(80, true);
  tell(epochStart(0, 2));
  tell(step(0, 1, 2));
  assert.match(stream.written, /^Epoch 0: {2}50%\P{Cc}*\n$/u);
});

test('a terminal shows one bar an epoch, with messages above it', async () => {
  const { stream, clock, screen, tell } = setUp(80);
  tell({ kind: 'device', device: 'cuda' });
  tell(epochStart(0, 1697));
  assert.match(stream.lines.at(-1) ?? '', /^Epoch 0: {3}0%\| +\| 0\/1697 \[00:00<\?, \?batch\/s\]$/);
  for (let batch = 1; batch <= 35; batch++) {
    clock.ms += 500;
    tell(step(0, batch, 1697, { loss: batch / 10 }));
  }
  tell({ kind: 'warning', message: 'an image\nwas skipped' });
  assert.deepEqual(stream.lines, [
    'Running on cuda device',
    'WARNING: an image was skipped',
    'Epoch 0:   2%|   | 35/1697 [00:17<13:51,2.00batch/s,loss=3.50,256img/s,wait=3%]',
  ]);
  clock.ms += 500;
  tell(step(0, 1697, 1697));
  tell({ kind: 'evaluation-start', split: 'val', batches: 1 });
  tell(epochStart(1, 1697));
  await screen.close();
  assert.deepEqual(
    stream.lines.map((line) => line.slice(0, 14)),
    ['Running on cud', 'WARNING: an im', 'Epoch 0: 100%|', 'Calculating va', 'Epoch 1:   0%|'],
  );
  assert.ok(stream.written.endsWith('\n'));
});

test('a run that stops in the middle of an epoch leaves its bar above the last line', () => {
  const { stream, clock, tell } = setUp(200);
  tell(epochStart(0, 4));
  clock.ms += 500;
  tell(step(0, 1, 4));
  tell({ kind: 'stopped', reason: 'SIGTERM', step: 1, path: 'outputs/x', command: 'npx deep-cnn --resume' });
  const [bar, stopped, ...rest] = stream.lines;
  assert.match(bar ?? '', /^Epoch 0: {2}25%/);
  const line = 'Stopped by SIGTERM after step 1, saved to outputs/x. Go on with: npx deep-cnn --resume';
  assert.equal(stopped, line);
  assert.deepEqual(rest, []);
});

test('the bar of an evaluation goes when it is over', async () => {
  const { stream, clock, screen, tell } = setUp(80);
  tell({ kind: 'evaluation-start', split: 'val', batches: 2 });
  clock.ms += 500;
  tell(evaluationStep(1, 2));
  assert.match(stream.lines.at(-1) ?? '', /^Validation: {2}50%\|.*\| 1\/2 /);
  clock.ms += 500;
  tell(evaluationStep(2, 2));
  tell(epochEnd(1, metrics(2.5)));
  tell({ kind: 'evaluation-start', split: 'test', batches: 1 });
  assert.match(stream.lines.at(-1) ?? '', /^Test: /);
  await screen.close();
  assert.deepEqual(
    stream.lines.map((line) => line.slice(0, 8)),
    ['Calculat', 'Epoch: 1'],
  );
});

test('a file hears of an evaluation only when it takes long', () => {
  const { stream, clock, tell } = setUp();
  tell({ kind: 'evaluation-start', split: 'val', batches: 200 });
  for (let batch = 1; batch <= 200; batch++) {
    clock.ms += 1000;
    tell(evaluationStep(batch, 200));
  }
  assert.deepEqual(
    stream.lines.slice(1).map((line) => /^Validation: .* (\d+)\/200 /.exec(line)?.[1]),
    ['60', '120', '180'],
  );
});

test('a bar is drawn when a step ends, ten times a second at most, without a timer', async () => {
  const { stream, clock, screen, tell } = setUp(80);
  tell(epochStart(0, 1000));
  const drawings = () => stream.written.split('Epoch 0:').length - 1;
  const before = drawings();
  for (let batch = 1; batch <= 200; batch++) {
    clock.ms += 10;
    tell(step(0, batch, 1000, { elapsedMs: 10, waitMs: 0 }));
  }
  assert.equal(drawings() - before, 20);
  await screen.close();
});

test('a bar follows the width of its terminal', async () => {
  const { stream, clock, screen, tell } = setUp(120);
  tell(epochStart(0, 100));
  for (const columns of [120, 80, 60, 20, 1]) {
    stream.columns = columns;
    clock.ms += 1000;
    tell(step(0, 7, 100));
    const line = stream.written.split('\x1b[1G').at(-1)?.replace('\x1b[0K', '') ?? '';
    assert.equal([...line].length, columns - 1);
  }
  await screen.close();
});

test('the rate follows the last steps, and is the mean when the epoch is over', () => {
  const { stream, clock, tell } = setUp();
  tell(epochStart(0, 3));
  for (const [index, elapsedMs] of [8000, 1000, 1000].entries()) {
    clock.ms += 60_000;
    tell(step(0, index + 1, 3, { elapsedMs, waitMs: elapsedMs / 2, images: 10 }));
  }
  assert.deepEqual(
    stream.lines.map((line) => /, (\S+batch)\S*, .*, (\S+)img\/s, wait=(\d+)%/.exec(line)?.slice(1)),
    [
      ['8.00s/batch', '1.25', '50'],
      ['5.90s/batch', '1.69', '50'],
      ['3.33s/batch', '3.00', '50'],
    ],
  );
});
