import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { UserError } from '#src/errors.js';
import { createRunFiles, logTime, nameRunFiles, timestamp } from '#src/reporting/run-files.js';
import { noon } from './run.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'deep-cnn-files-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('times are local and padded', () => {
  assert.equal(timestamp(new Date(2026, 0, 2, 3, 4, 5)), '20260102_03-04-05');
  assert.equal(logTime(new Date(2026, 0, 2, 3, 4, 5, 6)), '2026-01-02 03:04:05,006');
});

test('the files carry one time stamp, also when a second run starts in the same second, and naming makes none', () => {
  const config = { root_dir: join(folder, 'new'), run_name: 'mine' };
  const outputs = join(folder, 'new/outputs');
  const filesOf = (stem: string) => ({
    log: join(outputs, `logger/${stem}.log`),
    results: join(outputs, `results/${stem}.csv`),
    bad: join(outputs, `logger/${stem}.bad.csv`),
    model: join(outputs, 'models/mine.safetensors'),
  });
  assert.deepEqual(nameRunFiles(config, noon), filesOf('mine20261124_12-00-00'));
  assert.deepEqual(readdirSync(folder), []);
  createRunFiles(nameRunFiles(config, noon));
  assert.ok(existsSync(join(outputs, 'models')));
  rmSync(join(outputs, 'logger/mine20261124_12-00-00.log'));
  assert.deepEqual(nameRunFiles(config, noon), filesOf('mine20261124_12-00-00-2'));
  writeFileSync(join(outputs, 'logger/mine20261124_12-00-00-2.bad.csv'), '');
  createRunFiles(nameRunFiles(config, noon));
  assert.deepEqual(readdirSync(join(outputs, 'logger')).sort(), [
    'mine20261124_12-00-00-2.bad.csv',
    'mine20261124_12-00-00-3.log',
  ]);
});

const isMistake = (error: unknown) => error instanceof UserError && error.message.startsWith('Cannot write to ');

test('a place that cannot be written is a mistake', () => {
  writeFileSync(join(folder, 'file'), '');
  const create = (root_dir: string) => createRunFiles(nameRunFiles({ root_dir, run_name: 'a' }, noon));
  assert.throws(() => create(join(folder, 'file')), isMistake);
  mkdirSync(join(folder, 'outputs'));
  writeFileSync(join(folder, 'outputs/models'), '');
  assert.throws(() => create(folder), isMistake);
});

test('a run that goes on keeps its files, and a new one touches none that are there', () => {
  const files = nameRunFiles({ root_dir: folder, run_name: 'mine' }, noon);
  createRunFiles(files, { isResumed: true });
  assert.equal(readFileSync(files.log, 'utf8'), '');
  writeFileSync(files.log, 'line\n');
  createRunFiles(files, { isResumed: true });
  assert.equal(readFileSync(files.log, 'utf8'), 'line\n');
  assert.throws(() => createRunFiles(files), isMistake);
  assert.equal(readFileSync(files.log, 'utf8'), 'line\n');
});
