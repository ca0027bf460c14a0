import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { UserError } from '#src/errors.js';
import { createRunFiles, logTime, timestamp } from '#src/reporting/run-files.js';
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

test('the log and the results carry one time stamp, also when a second run starts in the same second', () => {
  const config = { root_dir: join(folder, 'new'), run_name: 'mine' };
  const outputs = join(folder, 'new/outputs');
  assert.deepEqual(createRunFiles(config, noon), {
    log: join(outputs, 'logger/mine20261124_12-00-00.log'),
    results: join(outputs, 'results/mine20261124_12-00-00.csv'),
    model: join(outputs, 'models/mine.safetensors'),
  });
  rmSync(join(outputs, 'logger/mine20261124_12-00-00.log'));
  assert.equal(createRunFiles(config, noon).log, join(outputs, 'logger/mine20261124_12-00-00-2.log'));
  assert.equal(createRunFiles(config, noon).results, join(outputs, 'results/mine20261124_12-00-00-3.csv'));
  assert.deepEqual(readdirSync(join(outputs, 'logger')).sort(), [
    'mine20261124_12-00-00-2.log',
    'mine20261124_12-00-00-3.log',
  ]);
  assert.ok(existsSync(join(outputs, 'models')));
});

test('a place that cannot be written is a mistake', () => {
  const isMistake = (error: unknown) => error instanceof UserError && error.message.startsWith('Cannot write to ');
  writeFileSync(join(folder, 'file'), '');
  assert.throws(() => createRunFiles({ root_dir: join(folder, 'file'), run_name: 'a' }, noon), isMistake);
  mkdirSync(join(folder, 'outputs'));
  writeFileSync(join(folder, 'outputs/models'), '');
  assert.throws(() => createRunFiles({ root_dir: folder, run_name: 'a' }, noon), isMistake);
});
