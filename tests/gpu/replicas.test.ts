// Replicas on two GPUs, against one network with the whole batch.

import assert from 'node:assert/strict';
import { defined } from '#src/defined.js';
import { relu } from '#src/graph/ops/activation.js';
import type { Model } from '#src/models/model.js';
import { globalAveragePool } from '#src/models/module.js';
import { findModel } from '#src/models/registry.js';
import { openRuntime, type Runtime } from '#src/tensorflow/runtime.js';
import { compileSteps } from '#src/training/compile-steps.js';
import type { StepGraphOptions } from '#src/training/step-graph.js';
import type { Steps } from '#src/training/steps.js';
import { classes, input, tinyBatch } from '../training/tiny-network.js';
import { computeInFull, testOnGpu } from './gpus.js';

computeInFull();

/** Without batch norm, by which each part of a batch would be normalised apart. */
const plainModel: Model = {
  build(m, images, outputs) {
    const x = relu(m.conv('conv', images, { channels: 6, kernel: 3, padding: 1, bias: true }));
    return m.linear('fc', globalAveragePool(x), outputs);
  },
  head: 'fc',
};
const devices = ['/device:GPU:0', '/device:GPU:1'];

let opened: Promise<Runtime> | undefined;
function runtime(): Promise<Runtime> {
  opened ??= openRuntime('cuda');
  return opened;
}

const trained = async (options: Partial<StepGraphOptions>, batchSize: number): Promise<[Steps, number[]]> => {
  const steps = await compileSteps(await runtime(), {
    ...{ model: plainModel, classes, input, optimizer: { kind: 'adam' as const } },
    ...options,
  });
  steps.drawWeights(5);
  return [steps, [1, 2, 3].map((seed) => steps.train(tinyBatch(seed, batchSize), 1e-2).loss)];
};

for (const batchSize of [8, 5, 1]) {
  testOnGpu(
    `train as one does: a batch of ${batchSize}`,
    async () => {
      const [one, expected] = await trained({}, batchSize);
      const [two, found] = await trained({ devices }, batchSize);
      for (const [i, loss] of expected.entries()) assert.ok(Math.abs(defined(found[i]) - loss) < 1e-5);
      for (const [name, { data }] of one.readWeights()) {
        const other = defined(two.readWeights().get(name)).data;
        assert.ok(
          data.every((value, i) => Math.abs(defined(other[i]) - value) < 1e-4),
          name,
        );
      }
      one.dispose();
      two.dispose();
    },
    2,
  );
}

for (const precision of ['float32', 'bfloat16', 'float16'] as const) {
  testOnGpu(
    `train a network with batch norm in ${precision}`,
    async () => {
      const model = defined(findModel('efficientnet_b0'));
      const options = {
        model,
        precision,
        devices,
        input: { ...input, crop: 64 },
        accumulate: precision === 'bfloat16',
      };
      const steps = await compileSteps(await runtime(), {
        classes,
        optimizer: { kind: 'adam' },
        guard: true,
        ...options,
      });
      steps.drawWeights(5);
      const pixels = Uint8Array.from({ length: 8 * 3 * 64 ** 2 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24);
      const batch = { pixels, labels: Int32Array.from({ length: 8 }, (_, i) => i % classes) };
      // In float16 the first ones may be left out, in search of the scale.
      const results = Array.from({ length: 8 }, () => steps.train(batch, 1e-3));
      assert.ok(results.every(({ loss }) => Number.isFinite(loss)) && results.at(-1)?.applied, JSON.stringify(results));
      steps.dispose();
    },
    2,
  );
}
