// Dropout and stochastic depth inside the compiled steps. With weights of zero the logits, and so the loss's derivative
// by them, stay what they are whatever is dropped: a weight's gradient then shows its input, and whether it was dropped.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { add } from '#src/graph/ops/math.js';
import type { Model } from '#src/models/model.js';
import { flatten } from '#src/models/module.js';
import { findModel } from '#src/models/registry.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compileSteps } from '#src/training/compile-steps.js';
import { buildStepGraph, type StepGraphOptions } from '#src/training/step-graph.js';
import type { StepBatch, Steps } from '#src/training/steps.js';
import type { StateDict } from '#src/weights/state-dict.js';

const rate = 0.3;
const crop = 8;
const features = crop * crop * 3;
const classes = 2;
const base = {
  classes,
  // A pixel of 0 enters as 0, one of 255 as 1.
  input: { crop, mean: [0, 0, 0], std: [1, 1, 1] },
  optimizer: { kind: 'sgd', momentum: 0 },
} as const satisfies Partial<StepGraphOptions>;

/** Two layers that see the same input, with different things dropped. */
const dropping: Model = {
  build(m, images, outputs) {
    const x = flatten(images);
    const first = m.linear('first', m.dropout(x, rate), outputs);
    return add(first, m.linear('second', m.dropout(x, rate), outputs));
  },
  head: 'second',
};

const skipping: Model = {
  build: (m, images, outputs) => m.linear('fc', flatten(m.stochasticDepth(images, rate)), outputs),
  head: 'fc',
};

/** The branch of a ConvNeXt's block. */
const scaling: Model = {
  build(m, images, outputs) {
    const scale = m.parameter('layer_scale', [3, 1, 1], { kind: 'uniform', bound: 1 });
    return m.linear('fc', flatten(m.stochasticDepth(images, rate, { scale })), outputs);
  },
  head: 'fc',
};

const runtime = await openRuntime('cpu');
async function compile(options: Pick<StepGraphOptions, 'model' | 'dropout'>, { kernels = true } = {}): Promise<Steps> {
  const used = kernels ? runtime : { ...runtime, kernels: new Set<string>() };
  const steps = await compileSteps(used, { ...base, ...options });
  after(() => steps.dispose());
  return steps;
}
const drops = await compile({ model: dropping });
const keeps = await compile({ model: dropping, dropout: false });
const skips = await compile({ model: skipping });

function zeroWeights(steps: Steps): StateDict {
  return new Map(
    steps.parameters.map(({ name, shape }) => {
      const length = shape.reduce((product, size) => product * size, 1);
      return [name, { shape, data: new Float32Array(length) }];
    }),
  );
}

/** One white image. */
const white: StepBatch = { pixels: new Uint8Array(features).fill(255), labels: Int32Array.of(0) };

/** What each input of a layer was multiplied by: its weights' gradients for class 0, whose derivative is -1/2. */
function masks(steps: Steps, layer: string, batch = white): number[] {
  const { data } = steps.gradients(batch).get(`${layer}.weight`) ?? { data: [] };
  return Array.from(data.slice(0, features), (value) => value / -0.5);
}

function start(steps: Steps, seed: number): void {
  steps.drawWeights(seed);
  steps.loadWeights(zeroWeights(steps));
}

test('a share of the numbers is dropped, and the others make up for it', () => {
  start(drops, 1);
  let dropped = 0;
  const steps = 20;
  for (let step = 0; step < steps; step++) {
    for (const value of masks(drops, 'first')) {
      if (value === 0) dropped += 1;
      else assert.ok(Math.abs(value - 1 / (1 - rate)) < 1e-6, `${value}`);
    }
    drops.train(white, 0);
  }
  const share = dropped / (steps * features);
  // Five standard errors.
  assert.ok(Math.abs(share - rate) < 5 * Math.sqrt((rate * (1 - rate)) / (steps * features)), `${share}`);
});

test('seed, step and layer each decide what is dropped, and nothing else does', () => {
  start(drops, 1);
  const [first, second] = [masks(drops, 'first'), masks(drops, 'second')];
  assert.notDeepEqual(first, second);
  assert.deepEqual(masks(drops, 'first'), first, 'asking changes nothing');
  drops.train(white, 0);
  const later = masks(drops, 'first');
  assert.notDeepEqual(later, first);
  start(drops, 1);
  assert.deepEqual(masks(drops, 'first'), first);
  drops.train(white, 0);
  assert.deepEqual(masks(drops, 'first'), later);
  start(drops, 2);
  assert.notDeepEqual(masks(drops, 'first'), first);
  assert.notDeepEqual(masks(drops, 'first'), second);
});

test('nothing is dropped in evaluation, nor where dropout is turned off', () => {
  start(keeps, 1);
  assert.deepEqual(new Set(masks(keeps, 'first')), new Set([1]));
  for (const steps of [drops, keeps]) steps.drawWeights(5);
  assert.deepEqual(drops.evaluate(white), keeps.evaluate(white));
  assert.notEqual(drops.train(white, 0).loss, keeps.train(white, 0).loss);
});

test('a run with dropout repeats itself', () => {
  const losses = () => {
    drops.drawWeights(3);
    return Array.from({ length: 4 }, () => drops.train(white, 0.01).loss);
  };
  assert.deepEqual(losses(), losses());
});

test('stochastic depth drops whole images, in batches of any size', () => {
  start(skips, 1);
  let dropped = 0;
  let seen = 0;
  for (const images of [1, 5, 32, 31, 32, 32, 32]) {
    // Only byte n of image n is white, so that each image is seen by weights of its own.
    const pixels = new Uint8Array(images * features);
    for (let n = 0; n < images; n++) pixels[n * features + n] = 255;
    const batch = { pixels, labels: new Int32Array(images) };
    const found = steppedMasks(batch).map((value) => value * images);
    for (const [n, value] of found.entries()) {
      assert.ok(n < images || value === 0);
      if (n < images && value === 0) dropped += 1;
      else if (n < images) assert.ok(Math.abs(value - 1 / (1 - rate)) < 1e-5, `${value}`);
    }
    seen += images;
  }
  const share = dropped / seen;
  assert.ok(Math.abs(share - rate) < 5 * Math.sqrt((rate * (1 - rate)) / seen), `${share}`);

  function steppedMasks(batch: StepBatch): number[] {
    skips.train(batch, 0);
    // Features are channels first, pixels channels last.
    const mask = masks(skips, 'fc', batch);
    return Array.from({ length: features }, (_, byte) => mask[(byte % 3) * crop * crop + Math.floor(byte / 3)] ?? NaN);
  }
});

test('one image is dropped as a whole', () => {
  start(skips, 4);
  const seen = new Set<string>();
  for (let step = 0; step < 20; step++) {
    skips.train(white, 0);
    seen.add([...new Set(masks(skips, 'fc'))].map((value) => value.toFixed(4)).join());
  }
  const kept = (1 / (1 - rate)).toFixed(4);
  assert.deepEqual([...seen].map((value) => value.replace('-0', '0')).sort(), ['0.0000', kept]);
});

test('a seed is asked for only where something is drawn', () => {
  const input = { crop: 32, mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2] };
  const needs = (name: string, dropout = true) => {
    const model = findModel(name);
    assert.ok(model);
    const { signatures, random } = buildStepGraph({ ...base, input, model, dropout });
    assert.equal('random_seed' in signatures.gradients.inputs, random);
    assert.equal('random_seed' in signatures.eval_step.inputs, false);
    return 'random_seed' in signatures.train_step.inputs;
  };
  assert.equal(needs('resnet18'), false);
  assert.equal(needs('mobilenet_v2'), true);
  assert.equal(needs('mobilenet_v2', false), false);
});

test('a branch is scaled and dropped at once as it is one after the other', async () => {
  const [atOnce, apart] = [await compile({ model: scaling }), await compile({ model: scaling }, { kernels: false })];
  const images = 16;
  const pixels = Uint8Array.from({ length: images * features }, (_, byte) => (byte * 37) % 256);
  const batch = { pixels, labels: Int32Array.from({ length: images }, (_, n) => n % classes) };
  const found = [atOnce, apart].map((steps) => {
    steps.drawWeights(6);
    const gradients = steps.gradients(batch);
    const { loss } = steps.train(batch, 0.1);
    return [loss, ...(gradients.get('layer_scale')?.data ?? []), ...(gradients.get('fc.weight')?.data ?? [])];
  });
  const [first = [], second = []] = found;
  assert.equal(first.length, 1 + 3 + features * classes);
  assert.ok(first.slice(1, 4).every((gradient) => gradient !== 0));
  for (const [i, value] of first.entries()) {
    assert.ok(Math.abs(value - (second[i] ?? Number.NaN)) < 1e-6, `${i}: ${value}, ${second[i]}`);
  }
});
