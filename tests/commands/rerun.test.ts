import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { rerun } from '#src/commands/rerun.js';
import type { TrainParts } from '#src/commands/train.js';
import { runTraining } from '#src/commands/train.js';
import { readOptions } from '#src/options/given.js';
import { type TrainConfig, trainOptions } from '#src/options.js';
import type { Report } from '#src/reporting/events.js';
import type { TrainSetting } from '#src/training/train.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'deep-cnn-rerun-'));
  mkdirSync(join(folder, 'elsewhere'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const defaults = readOptions(trainOptions, []);
const values = (changed: Partial<TrainConfig>): TrainConfig => ({
  ...{ ...defaults, root_dir: folder, data_dir: '.', model: 'small', precision: 'fp32' },
  ...changed,
});

interface Seen {
  config: TrainConfig;
  setting: TrainSetting;
}

/** A trainer whose loss is its learning rate times `factor`. */
function trainer(seen: Seen[], factor = 1): TrainParts {
  const metrics = (loss: number) => ({ loss, precisionAt1: 50, precisionAt5: 100, images: 10 });
  const train = async (config: TrainConfig, report: Report, setting: TrainSetting) => {
    seen.push({ config, setting });
    report({ kind: 'run', parameters: config });
    report({ kind: 'device', device: 'cpu', precision: 'fp32', threads: 2, tensorflow: '2.20.0' });
    report({ kind: 'data', split: 'train', images: 10, classes: 2 });
    report({ kind: 'dataset', classes: ['a', 'b'], train: 10, validation: 2, test: 0, sha256: 'f00' });
    const loss = config.lr * factor;
    const result = { learningRate: config.lr, seconds: 1, imagesPerSecond: 10, epoch: 1 };
    report({ kind: 'epoch-end', result: { ...result, train: metrics(loss), validation: metrics(loss / 2) } });
    report({ kind: 'finished', train: metrics(loss), validation: metrics(loss / 2), test: undefined });
    return 'finished' as const;
  };
  return { modelNames: async () => ['small', 'large'], loadTrainer: async () => train };
}

async function repeat(given: Partial<TrainConfig>, parts: TrainParts, operands = ['first']) {
  const lines: string[] = [];
  const names = new Set([...Object.keys(given), 'root_dir']);
  const code = await rerun(operands, { values: { ...defaults, root_dir: folder, ...given }, given: names }, parts, {
    print: (text) => lines.push(text.trimEnd()),
  });
  return { code, lines };
}

test('a run is repeated with its options, on its data, under a name of its own', async () => {
  const seen: Seen[] = [];
  await runTraining(values({ run_name: 'first', lr: 0.25, epochs: 3 }), trainer(seen));
  const { code, lines } = await repeat({}, trainer(seen));
  assert.equal(code, 0);
  const [before, after] = seen;
  assert.deepEqual(after?.config, { ...before?.config, run_name: 'first-rerun' });
  assert.deepEqual(after?.setting.expectedData, { train: 10, validation: 2, test: 0, sha256: 'f00' });
  assert.deepEqual(lines, ['All losses of first and first-rerun are equal, to the bit']);
});

test('options that are given replace the old ones, and what differs is told', async () => {
  const seen: Seen[] = [];
  await runTraining(values({ run_name: 'first', lr: 0.25 }), trainer(seen));
  const { lines } = await repeat({ lr: 0.2, run_name: 'second', data_dir: 'elsewhere' }, trainer(seen));
  const { config, setting } = seen[1] ?? {};
  assert.deepEqual([config?.lr, config?.run_name, config?.data_dir], [0.2, 'second', join(folder, 'elsewhere')]);
  assert.equal(setting?.expectedData, undefined);
  assert.ok(lines.includes('Not as before: lr 0.25, now 0.2'));
  assert.equal(lines.at(-1), 'All losses of first and second agree within 20 %');
});

test('a result that differs by itself is told as well', async () => {
  await runTraining(values({ run_name: 'first', lr: 0.25 }), trainer([]));
  const { lines } = await repeat({}, trainer([], 1.001));
  assert.deepEqual(lines, ['All losses of first and first-rerun agree within 0.10 %']);
});

test('mistakes are refused by name', async () => {
  await assert.rejects(repeat({}, trainer([]), []), /expected the name of one run after it, found nothing/);
  await assert.rejects(repeat({}, trainer([]), ['a', 'b']), /found 'a' 'b'/);
  await assert.rejects(repeat({}, trainer([])), /Cannot read/);
  await runTraining(values({ run_name: 'first' }), trainer([]));
  await assert.rejects(repeat({}, trainer([]), ['fist']), /no description of a run 'fist': expected one of first/);
  await assert.rejects(repeat({ run_name: 'first' }, trainer([])), /not repeated under its own name/);
});
