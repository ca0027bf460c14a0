import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { findLearningRate, findLrOptions } from '#src/commands/find-lr.js';
import { readOptions } from '#src/options/given.js';
import type { TrainConfig } from '#src/options.js';
import { readCsvRows } from '#src/reporting/csv.js';
import { makeRoot, removeRoot, smallConfig } from '../training/small-run.js';

describe('deep-cnn find-lr', () => {
  let root = '';
  before(async () => {
    root = await makeRoot({ trainImages: 6 });
  });
  after(() => removeRoot(root));

  async function find(changed: Partial<TrainConfig & { min_lr: number; max_lr: number; steps: number }> = {}) {
    const lines: string[] = [];
    const config = smallConfig(root, { model: 'shufflenet_v2_x0_5', precision: 'fp32', ...changed });
    const values = { ...readOptions(findLrOptions, []), steps: 24, ...config, ...changed };
    const code = await findLearningRate(values, { print: (text) => lines.push(text), tell: () => {} });
    assert.equal(code, 0);
    const csv = / (\S+\.csv),/.exec(lines.at(-1) ?? '')?.[1];
    assert.ok(csv);
    const [heads, ...rows] = readCsvRows(readFileSync(csv, 'utf8')).rows;
    assert.deepEqual(heads, ['step', 'lr', 'loss', 'smoothed_loss']);
    return { lines, rows: rows.map((row) => row.map(Number)) };
  }

  test('raises the rate over several epochs and leaves its files alone', async () => {
    const { rows } = await find({ max_lr: 0.1 });
    assert.deepEqual([rows.length, rows[0]?.[1]], [24, 1e-7]);
    assert.ok(Math.abs((rows.at(-1)?.[1] ?? 0) - 0.1) < 1e-9);
    assert.deepEqual(readdirSync(join(root, 'outputs')).sort(), ['find-lr', 'models']);
    assert.deepEqual(readdirSync(join(root, 'outputs', 'models')), []);
    const kinds = readdirSync(join(root, 'outputs', 'find-lr')).map((name) => name.replace(/.*\./, ''));
    assert.deepEqual(kinds.sort(), ['csv', 'png', 'svg']);
  });

  test('goes with sgd, a frozen backbone and steps of several batches, and sees the loss grow', async () => {
    const { lines, rows } = await find({ optimizer: 'sgd', freeze: 'backbone', accumulate: 2, max_lr: 1e5, steps: 60 });
    assert.ok(rows.length < 60, `${rows.length}`);
    assert.match(lines[0] ?? '', /^The loss grew far beyond its lowest at /);
  });

  test('mistakes are refused by name', async () => {
    await assert.rejects(
      find({ min_lr: 1, max_lr: 0.1 }),
      /Bad value for max_lr: expected more than the 1 of --min_lr/,
    );
    await assert.rejects(find({ resume: 'last' }), /--resume does not go with find-lr/);
    await assert.rejects(
      find({ freeze: 'backbone', unfreeze_epoch: 2 }),
      /--unfreeze_epoch does not go with find-lr\. Leave it out .*, and --freeze, too/,
    );
    await assert.rejects(find({ model: 'resnet17' }), /resnet18/);
  });
});
