import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { createLogger } from '#src/reporting/logger.js';
import { messagesFor } from '#src/reporting/messages.js';
import { createReporters } from '#src/reporting/reporters.js';
import { createResults } from '#src/reporting/results.js';
import { nameRunFiles } from '#src/reporting/run-files.js';
import { closing, epochEnd, epochStart, FakeScreen, metrics, noon, opening, step } from './run.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'deep-cnn-reporters-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('the log of a run, line by line', async () => {
  const path = join(folder, 'run.log');
  const logger = createLogger({ path, now: () => noon, onFailure: () => assert.fail() });
  const middle = [epochStart(0, 1), step(0, 1, 1), { kind: 'evaluation-start', split: 'val', batches: 1 } as const];
  const warning = { kind: 'warning', message: 'beware\n  of dogs' } as const;
  const events = [...opening, ...middle, epochEnd(1, metrics(2.5)), warning, epochEnd(2, undefined), ...closing];
  for (const event of events) logger.handle(event);
  await logger.close();
  const train = 'train_precision@1: 12.35 | train_precision@5: 100.00';
  assert.equal(
    readFileSync(path, 'utf8'),
    `[INFO]: Model running with parameters: epochs=2, lr=0.001, model=resnet101, wandb=False, weights=none, data_dir="/a b"
[INFO]: Running on cpu device
[INFO]: There are 48 images in the train DataLoader
[INFO]: There are 12 images in the val DataLoader
[INFO]: There are 20 images in the test DataLoader
[INFO]: Weights from hf:timm/resnet101.tv_in1k:model.safetensors
[INFO]: Model loaded with 42510405 parameters
[INFO]: Calculating validation loss
[INFO]: Epoch: 1 | train_loss: 1.2346 | val_loss: 2.5000 | ${train} | val_precision@1: 12.35 | val_precision@5: 100.00
[WARNING]: beware of dogs
[INFO]: Epoch: 2 | train_loss: 1.2346 | ${train}
[INFO]: Model trained in: 12.346 seconds
[INFO]: Model tested in: 1.200 seconds
[INFO]: Test | test_loss: 1.5000 | test_precision@1: 12.35 | test_precision@5: 100.00
[INFO]: Saved weights to outputs/models/default.safetensors
[INFO]: LOSS train 1.2346 valid 2.5000 test 1.5000
`
      .replaceAll(/^/gm, '2026-11-24 12:00:00,123 ')
      .replace(/2026-11-24 12:00:00,123 $/, ''),
  );
});

test('splits that are absent have no loss', async () => {
  const path = join(folder, 'run.log');
  const logger = createLogger({ path, now: () => noon, onFailure: () => assert.fail() });
  logger.handle({ kind: 'finished', train: metrics(1), validation: undefined, test: undefined });
  await logger.close();
  assert.match(readFileSync(path, 'utf8'), /LOSS train 1\.0000 valid none test none\n$/);
});

test('closing waits for all that was logged', async () => {
  const path = join(folder, 'run.log');
  const logger = createLogger({ path, now: () => noon, onFailure: () => assert.fail() });
  for (let line = 0; line < 10_000; line++) logger.handle({ kind: 'warning', message: `line ${line}` });
  await logger.close();
  assert.match(readFileSync(path, 'utf8'), /(.*\n){9999}.*line 9999\n$/);
});

test('the results have a row an epoch, at once', () => {
  const path = join(folder, 'run.csv');
  const results = createResults({ path, hasTimings: true, onFailure: () => assert.fail() });
  const header =
    'epoch,train_loss,val_loss,train_precision@1,train_precision@5,val_precision@1,val_precision@5,lr,seconds,images_per_second\n';
  assert.equal(readFileSync(path, 'utf8'), header);
  results.handle(epochEnd(1, metrics(2.5)));
  const first = `${header}1,1.23456,2.5,12.3457,100,12.3457,100,0.001,12.346,18.81\n`;
  assert.equal(readFileSync(path, 'utf8'), first);
  results.handle(epochEnd(2, undefined));
  assert.equal(readFileSync(path, 'utf8'), `${first}2,1.23456,,12.3457,100,,,0.001,12.346,18.81\n`);
});

test('a table without timings has their columns, empty', () => {
  const path = join(folder, 'run.csv');
  const results = createResults({ path, hasTimings: false, onFailure: () => assert.fail() });
  results.handle(epochEnd(1, metrics(2.5)));
  const rows = readFileSync(path, 'utf8').split('\n');
  assert.match(rows[0] ?? '', /,lr,seconds,images_per_second$/);
  assert.equal(rows[1], '1,1.23456,2.5,12.3457,100,12.3457,100,0.001,,');
});

test('all listen, the files begin with the data, and they know what was told before', async () => {
  const stream = new FakeScreen();
  const place = { root_dir: folder, run_name: 'mine' };
  const files = nameRunFiles(place, noon);
  const reporters = createReporters({
    config: { deterministic: false, wandb: false, ...place },
    files,
    stream,
    now: () => noon,
  });
  for (const event of opening.slice(0, 2)) reporters.handle(event);
  assert.ok(!existsSync(join(folder, 'outputs')));
  for (const event of [...opening.slice(2), epochEnd(1, undefined), ...closing]) reporters.handle(event);
  await reporters.close();
  const log = readFileSync(join(folder, 'outputs/logger/mine20261124_12-00-00.log'), 'utf8').trimEnd().split('\n');
  assert.match(log[0] ?? '', /Model running with parameters/);
  assert.match(log.at(-1) ?? '', /LOSS train/);
  assert.equal(log.length, 13);
  assert.match(
    readFileSync(join(folder, 'outputs/results/mine20261124_12-00-00.csv'), 'utf8'),
    /\n1,1\.23456,.*18\.81\n$/,
  );
  assert.ok(!existsSync(files.bad));
  assert.equal(stream.lines[0], 'Running on cpu device');
  assert.equal(stream.lines[1], `Logging to ${join(folder, 'outputs/logger/mine20261124_12-00-00.log')}`);
});

test('a run in bf16 says so', () => {
  const told = (precision: 'fp32' | 'bf16') =>
    messagesFor({ kind: 'device', device: 'cuda', precision }).map(({ text }) => text);
  assert.deepEqual(told('bf16'), ['Running on cuda device in bf16']);
  assert.deepEqual(told('fp32'), ['Running on cuda device']);
});

test('a run that is killed keeps what it has logged', () => {
  const script = `
    import { createLogger } from '${import.meta.resolve('#src/reporting/logger.js')}';
    const logger = createLogger({ path: 'run.log', now: () => new Date(), onFailure: console.error });
    logger.handle({ kind: 'device', device: 'cpu' });
    await new Promise(setImmediate);
    for (let line = 0; line < 1000; line++) logger.handle({ kind: 'warning', message: 'line ' + line });
    process.kill(process.pid, 'SIGKILL');
    for (;;);`;
  const { signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: folder,
    encoding: 'utf8',
  });
  assert.deepEqual({ signal, stderr }, { signal: 'SIGKILL', stderr: '' });
  assert.equal(readFileSync(join(folder, 'run.log'), 'utf8').split('\n').length, 1002);
});
