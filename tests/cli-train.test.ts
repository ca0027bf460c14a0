import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { runTraining, type TrainParts } from '#src/commands/train.js';
import { UserError } from '#src/errors.js';
import { readOptions } from '#src/options/given.js';
import { type TrainConfig, trainOptions } from '#src/options.js';
import { choosePrecision } from '#src/training/precision-choice.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'deep-cnn-train-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function values(changed: Partial<TrainConfig> = {}): TrainConfig {
  return { ...readOptions(trainOptions, []), root_dir: folder, data_dir: '.', model: 'small', ...changed };
}

function parts(train: Awaited<ReturnType<TrainParts['loadTrainer']>>): TrainParts {
  return { modelNames: async () => ['small', 'large'], loadTrainer: async () => train };
}

test('the trainer gets the complete config', async () => {
  let seen: TrainConfig | undefined;
  const code = await runTraining(
    values({ epochs: 7 }),
    parts(async (config) => {
      seen = config;
      return 'finished';
    }),
  );
  assert.equal(code, 0);
  const precision = choosePrecision('auto', 'auto');
  assert.deepEqual(seen, { ...values({ epochs: 7 }), precision, data_dir: folder });
  assert.ok(Object.isFrozen(seen));
});

test('auto is a definite precision before anything starts, and what is asked for is kept', async () => {
  const seen: string[] = [];
  const noting = parts(async ({ precision }) => {
    seen.push(precision);
    return 'finished';
  });
  for (const precision of ['bf16', 'fp32', 'auto'] as const) await runTraining(values({ precision }), noting);
  assert.deepEqual(seen.slice(0, 2), ['bf16', 'fp32']);
  assert.match(seen[2] ?? '', /^(fp32|bf16)$/);
});

test('a run that was stopped and saved ends with a code of its own', async () => {
  const stopped = parts(async () => 'stopped');
  assert.equal(await runTraining(values(), stopped), 75);
});

test('the files appear with the data, and not without', async () => {
  const failing = parts(async (_config, report) => {
    report({ kind: 'run', parameters: {} });
    throw new UserError('No images');
  });
  await assert.rejects(runTraining(values(), failing), UserError);
  assert.ok(!existsSync(join(folder, 'outputs')));
});

test('a mistake keeps the trainer from being loaded', async () => {
  const unused: TrainParts = { modelNames: async () => ['small'], loadTrainer: () => assert.fail('loaded') };
  await assert.rejects(runTraining(values({ model: 'smal' }), unused), /found 'smal'\. Did you mean small\?/);
  await assert.rejects(runTraining(values({ wandb: true }), unused), /needs an API key/);
  await assert.rejects(runTraining(values({ data_dir: 'none' }), unused), /Cannot find the data/);
  await assert.rejects(runTraining(values({ epochs: 1, warmup: 1 }), unused), /warmup/);
  assert.ok(!existsSync(join(folder, 'outputs')));
});
