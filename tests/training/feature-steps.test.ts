// A frozen backbone and the head apart: by way of features, every step is the same to the bit.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { relu } from '#src/graph/ops/activation.js';
import { ops } from '#src/graph/ops/registry.js';
import type { Model } from '#src/models/model.js';
import { flatten, globalAveragePool } from '#src/models/module.js';
import { modelNames, requireModel } from '#src/models/registry.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compileSteps } from '#src/training/compile-steps.js';
import { buildStepGraph, type StepGraphOptions } from '#src/training/step-graph.js';
import type { Steps } from '#src/training/steps.js';
import { classes, input, tinyBatch, tinyModel } from './tiny-network.js';

const runtime = await openRuntime('cpu');
const adam = { kind: 'adam', weightDecay: 0.1 } as const;
const sgd = { kind: 'sgd', momentum: 0.9, weightDecay: 0 } as const;

/** Dropout before a frozen layer, and before the head. */
const dropping: Model = {
  build(m, images, outputs) {
    const x = relu(m.batchNorm('bn', m.conv('conv', images, { channels: 5, kernel: 3 })));
    const hidden = relu(m.linear('hidden', m.dropout(flatten(x), 0.4), 7));
    return m.linear('fc', m.dropout(hidden, 0.2), outputs);
  },
  head: 'fc',
};

/** The head is a convolution, and something comes after it. */
const convolving: Model = {
  build(m, images, outputs) {
    const x = m.dropout(relu(m.conv('conv', images, { channels: 5, kernel: 3 })), 0.3);
    return globalAveragePool(relu(m.conv('head', x, { channels: outputs, kernel: 1, bias: true })));
  },
  head: 'head',
};

async function compile(options: Partial<StepGraphOptions>): Promise<Steps> {
  const fixed = { model: tinyModel, classes, input, optimizer: adam, freeze: 'backbone', features: true };
  const steps = await compileSteps(runtime, { ...fixed, ...options });
  after(() => steps.dispose());
  return steps;
}

/** Everything that a run keeps, and what its steps said. */
function run(steps: Steps, byFeatures: boolean) {
  steps.drawWeights(5);
  const of = (pass: 'train' | 'eval', seed: number, images: number) => {
    const batch = tinyBatch(seed, images);
    return byFeatures ? { features: steps.features(pass, batch), labels: batch.labels } : batch;
  };
  const told = [4, 3, 5, 1].map((images, step) => steps.train(of('train', 100 + step, images), 0.05));
  const evaluated = steps.evaluate(of('eval', 200, 6));
  return { told, evaluated, weights: steps.readWeights(), slots: steps.readSlots(), counters: steps.counters };
}

for (const [name, options, sizes] of [
  ['Adam', {}, { train: 6, eval: 6 }],
  ['momentum', { optimizer: sgd }, { train: 6, eval: 6 }],
  ['a guard', { guard: true }, { train: 6, eval: 6 }],
  ['class weights and smoothing', { classWeights: [1, 2, 3, 4], labelSmoothing: 0.1 }, { train: 6, eval: 6 }],
  ['dropout, after which frozen layers come', { model: dropping }, { train: 45, eval: 7 }],
  ['bfloat16', { precision: 'bfloat16' }, { train: 6, eval: 6 }],
  ['bfloat16 and dropout', { model: dropping, precision: 'bfloat16' }, { train: 45, eval: 7 }],
  ['a convolution as head', { model: convolving }, { train: 45, eval: 45 }],
] as const) {
  test(`the head alone does the same steps, with ${name}`, async () => {
    const steps = await compile(options);
    assert.deepEqual(steps.featureSizes, sizes);
    const whole = run(steps, false);
    assert.deepEqual(run(steps, true), whole);
    assert.ok(whole.told.every(({ applied }) => applied));
    assert.equal(whole.counters.step, 4);
  });
}

test('a guard leaves out a step of the head alone whose numbers are not finite', async () => {
  const steps = await compile({ guard: true });
  steps.drawWeights(5);
  const before = steps.readWeights();
  const features = new Float32Array(6 * 2).fill(Number.POSITIVE_INFINITY);
  assert.equal(steps.train({ features, labels: Int32Array.of(0, 1) }, 0.1).applied, false);
  assert.deepEqual(steps.readWeights(), before);
  assert.deepEqual(steps.counters, { step: 0, frozenSteps: undefined, runSeed: 5, skipped: 1 });
});

test('features do not depend on what is trained, nor on the other images of the batch', async () => {
  const steps = await compile({ model: dropping });
  steps.drawWeights(5);
  const batch = tinyBatch(300, 4);
  // Without the zeros' signs, which ReLU may leave by an image's place in the batch.
  const featuresOf = (images: typeof batch) => steps.features('train', images).map((value) => value + 0);
  const before = featuresOf(batch);
  steps.train(batch, 0.5);
  assert.deepEqual(featuresOf(batch), before);
  const last = { pixels: batch.pixels.slice(3 * 75), labels: batch.labels.slice(3) };
  const padded = { ...last, pixels: new Uint8Array([...last.pixels, 0]).subarray(0, 75) };
  assert.deepEqual(featuresOf(padded), before.slice(3 * 45));
});

test('steps that were not compiled for it have no features', async () => {
  const steps = await compile({ features: false });
  assert.equal(steps.featureSizes, undefined);
  assert.throws(() => steps.features('train', tinyBatch(1, 2)), /^Error: internal: the graph has no signature/);
});

/** How many features a network is cut at, and how many numbers its last layer reads. */
function cutOf(name: string, options: Pick<StepGraphOptions, 'precision' | 'kernels' | 'slowTypes'> = {}) {
  const model = requireModel(name);
  const common = { model, classes: 3, optimizer: adam, freeze: 'backbone', features: true };
  const { featureSizes, parameters } = buildStepGraph({ ...common, ...options, input: { ...input, crop: 224 } });
  const head = parameters.find((parameter) => parameter.name === `${model.head}.weight`);
  const inputs = head?.spec.shape[1] ?? Number.NaN;
  return { featureSizes, whole: { train: inputs, eval: inputs } };
}

test('every network is cut where its classifier begins', () => {
  const large = { train: 86528, eval: 86528 };
  const known: Record<string, object> = {
    alexnet: { train: 9216, eval: 4096 },
    squeezenet1_0: large,
    squeezenet1_1: large,
  };
  for (const name of modelNames()) {
    const { featureSizes, whole } = cutOf(name);
    assert.deepEqual(featureSizes, known[name] ?? whole, name);
  }
});

test('it is cut there with our kernels, too, and where a type is widened', () => {
  const kernels = new Set(ops.keys());
  const widens = { precision: 'bfloat16', slowTypes: new Set(['bfloat16'] as const) } as const;
  for (const name of ['convnext_tiny', 'efficientnet_b0', 'resnet18']) {
    for (const options of [{ kernels }, { kernels, ...widens }, widens]) {
      const { featureSizes, whole } = cutOf(name, options);
      assert.deepEqual(featureSizes, whole, name);
    }
  }
});
