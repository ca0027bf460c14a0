// Whole runs on a GPU, as a user starts them.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readWeightsFile } from '#src/weights/weights-file.js';
import { testOnGpu } from './gpus.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));

const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-gpu-'));
after(() => rmSync(folder, { recursive: true }));

const run = (...args: string[]) => {
  const program = join(root, 'dist/cli.js');
  const all = [program, ...args, `--root_dir=${folder}`];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { cwd: folder, encoding: 'utf8' });
  return { status, text: `${stdout}${stderr}` };
};
const train = (name: string, options: Readonly<Record<string, string | number>> = {}) => {
  const all = {
    ...{ data_dir: join(root, 'tests/places_test_input'), wandb: 'False', pretrained: 'False', device: 'cuda' },
    ...{ model: 'resnet18', epochs: 2, batch_size: 8, schedule: 'constant', run_name: name, ...options },
  };
  return run('train', ...Object.entries(all).map(([option, value]) => `--${option}=${value}`));
};
const weightsOf = async (name: string) =>
  (await readWeightsFile(join(folder, 'outputs/models', `${name}.safetensors`))).weights;

testOnGpu('says where it runs, and how', () => {
  const { status, text } = train('plain');
  assert.equal(status, 0, text);
  assert.match(text, /Running on cuda device in (bf16|fp16|fp32)/);
  console.log(text);
});

testOnGpu('repeats to the bit with --deterministic, a resumed one too', async () => {
  const exact = { deterministic: 'True', precision: 'bf16' };
  for (const name of ['first', 'second']) {
    const { status, text } = train(name, exact);
    assert.equal(status, 0, text);
  }
  assert.deepEqual(await weightsOf('second'), await weightsOf('first'));
  for (const more of [{ epochs: 1 }, { resume: 'auto' }]) {
    const { status, text } = train('third', { ...exact, ...more });
    assert.equal(status, 0, text);
  }
  assert.deepEqual(await weightsOf('third'), await weightsOf('first'));
});

testOnGpu('trains in fp16 by a full recipe', () => {
  const recipe = { precision: 'fp16', accumulate: 2, optimizer: 'sgd', augment: 'trivial', mixup: 0.2, nan: 'skip' };
  const { status, text } = train('recipe', recipe);
  assert.equal(status, 0, text);
});

testOnGpu('takes no more memory than it may, and says when that does not do', () => {
  const tight = { gpu_memory_limit: '1G', batch_size: 48, model: 'resnet50', precision: 'fp32', epochs: 1 };
  const { status, text } = train('tight', tight);
  assert.equal(status, 2, text);
  assert.match(text, /Out of memory/);
  const cut = train('cut', { ...tight, auto_batch: 'True' });
  assert.equal(cut.status, 0, cut.text);
  console.log(cut.text);
});

testOnGpu('is evaluated, and predicts', () => {
  const evaluated = run('evaluate', '--run=plain', '--device=cuda', '--split=val', '--json');
  assert.equal(evaluated.status, 0, evaluated.text);
  const predicted = run('predict', '--run=plain', '--device=cuda', join(root, 'tests/places_test_input/val'));
  assert.equal(predicted.status, 0, predicted.text);
});

testOnGpu('explains what it sees', () => {
  const { status, text } = run(
    'predict',
    '--run=plain',
    '--device=cuda',
    '--explain',
    join(root, 'tests/places_test_input/val'),
  );
  assert.equal(status, 0, text);
});
