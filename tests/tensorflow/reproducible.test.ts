// What is told to TensorFlow before it is loaded, each time in a process of its own.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import type { RuntimeOptions } from '#src/tensorflow/reproducible.js';

interface Found {
  threads: number;
  deterministic: boolean;
  loss: number;
  variables: Record<string, string | undefined>;
}

const names = [
  'TF_NUM_INTRAOP_THREADS',
  'TF_DETERMINISTIC_OPS',
  'TF_CUDNN_USE_AUTOTUNE',
  'TF_FORCE_GPU_ALLOW_GROWTH',
  'TF_ENABLE_ONEDNN_OPTS',
];

/** A runtime opened with `options` under these variables, and the first loss of a network of many sums. */
function open(options: RuntimeOptions, variables: Record<string, string> = {}, before: readonly string[] = []): Found {
  const script = `
    const { openRuntime } = await import('#src/tensorflow/runtime.js');
    const { compileSteps } = await import('#src/training/compile-steps.js');
    const { findModel } = await import('#src/models/registry.js');
    const runtime = await openRuntime('cpu', ${JSON.stringify(options)});
    const input = { crop: 64, mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2] };
    const steps = await compileSteps(runtime, { model: findModel('resnet18'), classes: 2, input, optimizer: { kind: 'sgd' } });
    steps.drawWeights(1);
    const pixels = Uint8Array.from({ length: 4 * 64 * 64 * 3 }, (_, i) => (i * i) % 251);
    const train = () => steps.train({ pixels, labels: Int32Array.of(0, 1, 1, 0) }, 0.01).loss;
    train();
    const { threads, deterministic } = runtime;
    const variables = Object.fromEntries(${JSON.stringify(names)}.map((name) => [name, process.env[name]]));
    console.log(JSON.stringify({ threads, deterministic, loss: train(), variables }));
  `;
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !names.includes(name)));
  const [program = '', ...args] = [...before, process.execPath, '--input-type=module', '--eval', script];
  return JSON.parse(execFileSync(program, args, { env: { ...own, ...variables }, encoding: 'utf8' }));
}

const byDefault = open({});

const always = { TF_FORCE_GPU_ALLOW_GROWTH: 'true', TF_ENABLE_ONEDNN_OPTS: '1' };

test('by default nothing is set but that the memory of GPUs is taken as it is needed, and oneDNN is used', () => {
  const { deterministic, variables } = byDefault;
  assert.deepEqual({ deterministic, variables }, { deterministic: false, variables: always });
});

test("the user's word on the growth of a GPU's memory stays", () => {
  const { variables } = open({ gpuMemoryMegabytes: 2048 }, { TF_FORCE_GPU_ALLOW_GROWTH: 'false' });
  assert.deepEqual(variables, { ...always, TF_FORCE_GPU_ALLOW_GROWTH: 'false' });
});

/** Confines a process to one of the cores on which this one may run. */
const confined = () => {
  const first = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  assert.ok(first);
  return ['taskset', '-c', first];
};

test('there are as many threads as cores on which the process may run', () => {
  assert.ok(byDefault.threads >= availableParallelism());
  assert.equal(open({}, {}, confined()).threads, 1);
});

test('three threads compute the same on one core as on all', () => {
  assert.equal(open({ threads: 3 }, {}, confined()).loss, open({ threads: 3 }).loss);
});

test('threads are what is asked for, unless the user says otherwise', () => {
  assert.equal(open({ threads: 3 }).threads, 3);
  const outranked = open({ threads: 3 }, { TF_NUM_INTRAOP_THREADS: '1' });
  assert.equal(outranked.threads, 1);
  assert.equal(outranked.variables['TF_NUM_INTRAOP_THREADS'], '1');
  assert.equal(open({ threads: 3 }, { TF_NUM_INTRAOP_THREADS: '0' }).threads, 3);
});

test('the same number of threads computes the same bits, another number others', () => {
  assert.equal(open({ threads: 3 }).loss, open({ threads: 3 }).loss);
  // With our kernels, nothing of a ResNet-18 may be left whose sums TensorFlow divides among threads.
  const plain = (threads: number) => open({ threads }, { DEEP_CNN_KERNELS: 'off' }).loss;
  assert.notEqual(plain(1), plain(3));
});

test('deterministic sets what TensorFlow reads, and changes no bit on a CPU', () => {
  const { deterministic, variables, loss } = open({ deterministic: true });
  assert.equal(deterministic, true);
  assert.deepEqual(variables, { ...always, TF_DETERMINISTIC_OPS: '1', TF_CUDNN_USE_AUTOTUNE: '0' });
  assert.equal(loss, byDefault.loss);
});
