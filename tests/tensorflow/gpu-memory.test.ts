// A limit of GPUs' memory. Without a GPU, what can be seen is that TensorFlow takes the configuration.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { findInstallation } from '#src/tensorflow/cache.js';
import { limitGpuMemory, limitWith, sessionConfig } from '#src/tensorflow/gpu-memory.js';

const quarter = '320b09000000000000d03f2001';

test('the configuration is a ConfigProto: a share of the memory, taken as it is needed', () => {
  assert.equal(Buffer.from(sessionConfig(0.25)).toString('hex'), quarter);
});

/** The configurations that are used where GPUs have so many bytes. */
function opened(totals: readonly number[], megabytes: number, trouble = ''): string[] {
  const configs: string[] = [];
  const openSession = (config: Uint8Array) => {
    configs.push(Buffer.from(config).toString('hex'));
    return trouble;
  };
  limitWith({ totals: () => totals, openSession }, megabytes);
  return configs;
}

test('no GPU exceeds the limit', () => {
  assert.deepEqual(opened([2 ** 33], 2048), [quarter]);
  // TensorFlow takes the same share of all.
  assert.deepEqual(opened([2 ** 32, 2 ** 33], 2048), [quarter]);
});

test('without a GPU, or with a smaller one, there is nothing to limit', () => {
  assert.deepEqual(opened([], 2048), []);
  assert.deepEqual(opened([2 ** 31], 2048), []);
});

test('a limit that TensorFlow refuses, or that was not compiled, is an error', () => {
  assert.throws(() => opened([2 ** 33], 2048, 'no'), /can't be limited: found no\. Leave --gpu_memory_limit out/);
  assert.throws(() => limitGpuMemory({ gpuMemoryPath: undefined }, 2048), /can't be limited/);
});

/** What a network's step says in a process that does `before` first. */
function lossAfter(before: string): unknown {
  const script = `
    import { createRequire } from 'node:module';
    const { sessionConfig } = await import('#src/tensorflow/gpu-memory.js');
    const { openRuntime } = await import('#src/tensorflow/runtime.js');
    const { compileSteps } = await import('#src/training/compile-steps.js');
    const { findModel } = await import('#src/models/registry.js');
    const addon = createRequire(import.meta.url)(${JSON.stringify(findInstallation()?.gpuMemoryPath)});
    const said = [${before}];
    const runtime = await openRuntime('cpu');
    const input = { crop: 64, mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2] };
    const steps = await compileSteps(runtime, { model: findModel('resnet18'), classes: 2, input, optimizer: { kind: 'sgd' } });
    steps.drawWeights(1);
    const pixels = Uint8Array.from({ length: 4 * 64 * 64 * 3 }, (_, i) => (i * i) % 251);
    const { loss } = steps.train({ pixels, labels: Int32Array.of(0, 1, 1, 0) }, 0.01);
    console.log(JSON.stringify({ said, loss }));
  `;
  const env = { ...process.env, CUDA_VISIBLE_DEVICES: '-1', TF_CPP_MIN_LOG_LEVEL: '3' };
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script], { env, encoding: 'utf8' }));
}

const skip = findInstallation()?.gpuMemoryPath === undefined && 'it is not there for this TensorFlow';

test('TensorFlow takes the configuration, refuses what is none, and computes the same after it', { skip }, () => {
  const { loss } = lossAfter('') as { loss: number };
  assert.deepEqual(lossAfter('addon.totals().length, addon.openSession(sessionConfig(0.25))'), { said: [0, ''], loss });
  const refused = lossAfter('addon.openSession(Uint8Array.of(255, 255))') as { said: string[]; loss: number };
  assert.match(refused.said[0] ?? '', /ConfigProto/);
  assert.equal(refused.loss, loss);
});
