// Training with a part of the network frozen, and opening it later.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { sigmoid } from '#src/graph/ops/activation.js';
import type { Model } from '#src/models/model.js';
import { globalAveragePool } from '#src/models/module.js';
import { findModel } from '#src/models/registry.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compileSteps } from '#src/training/compile-steps.js';
import type { StepGraphOptions } from '#src/training/step-graph.js';
import type { Steps } from '#src/training/steps.js';
import type { StateDict } from '#src/weights/state-dict.js';
import { assertClose, relativeError } from '../graph/closeness.js';
import { classes, input, tinyBatch, tinyModel, tinyShapes, tinyWeights } from './tiny-network.js';

const runtime = await openRuntime('cpu');

type Options = Omit<StepGraphOptions, 'model' | 'classes' | 'input'>;
/** Decay would move a weight that gets no gradient. */
const adamw = { kind: 'adam', weightDecay: 0.1 } as const;
const sgd = { kind: 'sgd', momentum: 0 } as const;

async function compile(options: Options, model: Model = tinyModel): Promise<Steps> {
  const steps = await compileSteps(runtime, { model, classes, input, ...options });
  after(() => steps.dispose());
  return steps;
}

const bits = ({ data }: { data: Float32Array }) => new Uint32Array(data.buffer, data.byteOffset, data.length);

/** The names of the weights that are not the same to the bit. */
function changed(before: StateDict, found: StateDict): string[] {
  const differs = ([name, tensor]: [string, { data: Float32Array }]) => {
    const other = found.get(name);
    assert.ok(other, name);
    return bits(tensor).some((word, index) => word !== bits(other)[index]);
  };
  return [...before].filter(differs).map(([name]) => name);
}

const batches = [4, 3, 4].map((images, index) => tinyBatch(200 + index, images));
const batch = tinyBatch(300, 5);

function trainAll(steps: Steps): void {
  for (const each of batches) steps.train(each, 0.05);
}

const backbone = await compile({ optimizer: adamw, freeze: 'backbone', unfreezeLater: true });
const open = await compile({ optimizer: sgd });
const everything = Object.keys(tinyShapes);

for (const [freeze, trained] of [
  ['none', everything],
  ['conv', everything.slice(1)],
  ['bn', ['fc.weight', 'fc.bias']],
  ['backbone', ['fc.weight', 'fc.bias']],
] as const) {
  for (const optimizer of [adamw, { ...sgd, momentum: 0.9, weightDecay: 0.1 }]) {
    test(`freeze=${freeze} with ${optimizer.kind}: training changes all of the rest, and no bit of what is frozen`, async () => {
      const steps = await compile({ optimizer, freeze });
      const start = tinyWeights(1);
      steps.loadWeights(start);
      trainAll(steps);
      assert.deepEqual(changed(start, steps.readWeights()), trained);
      assert.deepEqual(
        steps.trained.map(({ name }) => name),
        trained.filter((name) => !name.includes('running')),
      );
    });
  }
}

test('a frozen batch norm uses its running statistics', () => {
  for (const each of [batch, ...batches]) {
    backbone.loadWeights(tinyWeights(2));
    const { loss, correctAt1 } = backbone.evaluate(each);
    const step = backbone.train(each, 0.05);
    assertClose([step.loss], [loss], 1e-6);
    assert.equal(step.correctAt1, correctAt1);
    open.loadWeights(tinyWeights(2));
    const byBatch = open.train(each, 0.05).loss;
    assert.ok(relativeError([byBatch], [loss]) > 1e-3, `${byBatch} and ${loss}`);
  }
});

test('gradients are those of the same network unfrozen, for what is trained only', async () => {
  const steps = await compile({ optimizer: adamw, freeze: 'conv' });
  for (const each of [steps, open]) each.loadWeights(tinyWeights(3));
  const [found, all] = [steps.gradients(batch), open.gradients(batch)];
  assert.deepEqual([...found.keys()], ['bn.weight', 'bn.bias', 'fc.weight', 'fc.bias']);
  for (const [name, { data }] of found) assertClose(data, all.get(name)?.data ?? [], 1e-6);
});

test('what is opened changes from the next step on, its statistics included', () => {
  const start = tinyWeights(4);
  backbone.loadWeights(start);
  trainAll(backbone);
  const closed = backbone.readWeights();
  assert.deepEqual(changed(start, closed), ['fc.weight', 'fc.bias']);
  backbone.unfreeze();
  assert.deepEqual(changed(closed, backbone.readWeights()), []);
  backbone.train(batch, 0.05);
  assert.deepEqual(changed(closed, backbone.readWeights()), everything);
});

test('once opened, a step is that of a network never frozen', async () => {
  const steps = await compile({ optimizer: sgd, freeze: 'backbone', unfreezeLater: true });
  steps.loadWeights(tinyWeights(5));
  trainAll(steps);
  steps.unfreeze();
  open.loadWeights(steps.readWeights());
  for (const each of [batch, ...batches]) {
    assertClose([steps.train(each, 0.05).loss], [open.train(each, 0.05).loss], 1e-6);
  }
  const expected = open.readWeights();
  for (const [name, { data }] of steps.readWeights()) assertClose(data, expected.get(name)?.data ?? [], 1e-6);
});

test('unfreezing before the first step leaves nothing frozen', () => {
  const start = tinyWeights(6);
  backbone.loadWeights(start);
  backbone.unfreeze();
  backbone.train(batch, 0.05);
  assert.deepEqual(changed(start, backbone.readWeights()), everything);
});

test('loading and drawing weights freeze again', () => {
  for (const set of [() => backbone.loadWeights(tinyWeights(7)), () => backbone.drawWeights(7)]) {
    backbone.unfreeze();
    set();
    const start = backbone.readWeights();
    trainAll(backbone);
    assert.deepEqual(changed(start, backbone.readWeights()), ['fc.weight', 'fc.bias']);
  }
});

/** Dropout in the body only, or in front of the head only. */
const dropping = (place: 'body' | 'head'): Model => ({
  build(m, images, outputs) {
    const body = m.child('body');
    const x = sigmoid(body.linear('0', globalAveragePool(images), 64));
    const dropped = place === 'body' ? body.dropout(x, 0.5) : m.dropout(x, 0.5);
    return m.linear('fc', sigmoid(m.linear('middle', dropped, 8)), outputs);
  },
  head: 'fc',
});

test('what is frozen drops nothing until it is opened', async () => {
  const steps = await compile({ optimizer: sgd, freeze: 'body', unfreezeLater: true }, dropping('body'));
  steps.drawWeights(8);
  const before = steps.evaluate(batch).loss;
  assert.equal(steps.gradients(batch).size, 4);
  assertClose([steps.train(batch, 1e-9).loss], [before], 1e-6);
  steps.unfreeze();
  const first = steps.train(batch, 1e-9).loss;
  const second = steps.train(batch, 1e-9).loss;
  assert.equal(new Set([before, first, second].map((loss) => loss.toFixed(4))).size, 3);
});

test('what is trained drops, whatever is frozen before it', async () => {
  const steps = await compile({ optimizer: sgd, freeze: 'body' }, dropping('head'));
  steps.drawWeights(9);
  const losses = [1, 2, 3].map(() => steps.train(batch, 1e-9).loss.toFixed(4));
  assert.equal(new Set([...losses, steps.evaluate(batch).loss.toFixed(4)]).size, 4);
});

const resnet = findModel('resnet18');
assert.ok(resnet);
const small = { model: resnet, classes, input: { ...input, crop: 32 }, optimizer: adamw };

test('ResNet-18 with freeze=layer3 trains layer4 and fc, then everything', async () => {
  const steps = await compileSteps(runtime, { ...small, freeze: 'layer3', unfreezeLater: true });
  after(() => steps.dispose());
  steps.drawWeights(1);
  const pixels = Uint8Array.from({ length: 3 * 32 * 32 * 3 }, (_, i) => (i * i) % 251);
  const images = { pixels, labels: Int32Array.of(0, 1, 3) };
  const start = steps.readWeights();
  const { loss } = steps.train(images, 1e-3);
  assert.ok(Number.isFinite(loss));
  const closed = steps.readWeights();
  const last = [...start.keys()].filter((name) => /^(layer4|fc)\./.test(name));
  assert.equal(last.length, 27);
  assert.deepEqual(changed(start, closed), last);
  assert.ok(steps.train(images, 1e-3).loss < loss);
  steps.unfreeze();
  steps.train(images, 1e-3);
  assert.deepEqual(changed(start, steps.readWeights()), [...start.keys()]);
});
