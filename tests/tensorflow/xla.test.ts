// What XLA is told before TensorFlow is loaded.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { compileWithXla } from '#src/tensorflow/xla.js';

const variables = ['TF_XLA_FLAGS', 'XLA_FLAGS'] as const;
const before = variables.map((name) => process.env[name]);
let root = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'deep-cnn-xla-'));
  for (const name of variables) delete process.env[name];
});
afterEach(() => {
  rmSync(root, { recursive: true });
  variables.forEach((name, index) => {
    const value = before[index];
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  });
});

test('XLA compiles, with the toolkit that came with TensorFlow', () => {
  const toolkit = join(root, 'nvidia/cuda_nvcc');
  mkdirSync(toolkit, { recursive: true });
  compileWithXla({ root });
  assert.equal(process.env['TF_XLA_FLAGS'], '--tf_xla_auto_jit=2');
  assert.equal(process.env['XLA_FLAGS'], `--xla_gpu_cuda_data_dir=${toolkit}`);
});

test('it looks for the toolkit by itself where none came with TensorFlow', () => {
  compileWithXla({ root });
  assert.equal(process.env['XLA_FLAGS'], undefined);
});

test("the user's flags stay", () => {
  mkdirSync(join(root, 'nvidia/cuda_nvcc'), { recursive: true });
  process.env['TF_XLA_FLAGS'] = '--tf_xla_min_cluster_size=8';
  process.env['XLA_FLAGS'] = '--xla_gpu_cuda_data_dir=/opt/cuda';
  compileWithXla({ root });
  assert.equal(process.env['TF_XLA_FLAGS'], '--tf_xla_min_cluster_size=8 --tf_xla_auto_jit=2');
  assert.equal(process.env['XLA_FLAGS'], '--xla_gpu_cuda_data_dir=/opt/cuda');
});
