// What a network starts from when there are no pretrained weights.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Graph } from '#src/graph/graph.js';
import { placeholder } from '#src/graph/ops/source.js';
import { int32, openSession, outputOf } from '#src/graph/session.js';
import type { Model } from '#src/models/model.js';
import { globalAveragePool, Module, uniformByFanIn } from '#src/models/module.js';
import { ParameterStore, Reads } from '#src/models/parameters.js';
import { findModel } from '#src/models/registry.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compileSteps } from '#src/training/compile-steps.js';
import type { StoredTensor } from '#src/weights/state-dict.js';

const model = findModel('resnet18');
assert.ok(model);
const steps = await compileSteps(await openRuntime('cpu'), {
  model,
  classes: 5,
  input: { crop: 32, mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2] },
  optimizer: { kind: 'sgd' },
});
after(() => steps.dispose());

const pixels = Uint8Array.from({ length: 2 * 32 * 32 * 3 }, (_, i) => (i * i) % 251);
const logitsOf = (seed: number) => {
  steps.drawWeights(seed);
  return steps.evaluate({ pixels, labels: Int32Array.of(0, 1) }).logits;
};

test('the same seed gives the same network, another seed another', () => {
  const [one, other, again] = [logitsOf(42), logitsOf(43), logitsOf(42)];
  assert.equal(one.length, 10);
  assert.ok(one.every(Number.isFinite));
  assert.ok(new Set(one).size === 10, 'images and classes are told apart');
  assert.deepEqual(one, again);
  assert.ok(one.every((value, i) => value !== other[i]));
});

steps.drawWeights(1);
const weights = steps.readWeights();
function tensor(name: string): StoredTensor {
  const found = weights.get(name);
  assert.ok(found, name);
  return found;
}

test('convolutions are normal with a deviation of sqrt(2 / fan-out)', () => {
  const filters = [...weights].filter(([, { shape }]) => shape.length === 4);
  assert.equal(filters.length, 20);
  for (const [name, { shape, data }] of filters) {
    const [channels = 0, , height = 0, width = 0] = shape;
    const expected = Math.sqrt(2 / (channels * height * width));
    const mean = data.reduce((total, value) => total + value, 0) / data.length;
    const deviation = Math.sqrt(data.reduce((total, value) => total + (value - mean) ** 2, 0) / data.length);
    // Five standard errors.
    assert.ok(Math.abs(mean) < (5 * expected) / Math.sqrt(data.length), `${name}: mean ${mean}`);
    const error = Math.abs(deviation / expected - 1);
    assert.ok(error < 5 / Math.sqrt(2 * data.length), `${name}: deviation ${deviation}, not ${expected}`);
  }
});

test('layers of one shape do not start alike', () => {
  const first = tensor('layer1.0.conv1.weight').data;
  assert.ok(first.every((value, i) => value !== tensor('layer1.1.conv1.weight').data[i]));
});

test('the head is uniform within 1 / sqrt(inputs)', () => {
  const bound = 1 / Math.sqrt(512);
  const { data } = tensor('fc.weight');
  const largest = Math.max(...data.map(Math.abs));
  assert.ok(largest <= bound && largest > 0.99 * bound, `${largest} of ${bound}`);
  const [lower, upper] = [Math.min(...data), Math.max(...data)];
  assert.ok(lower < 0 && upper > 0);
  const deviation = Math.sqrt(data.reduce((total, value) => total + value ** 2, 0) / data.length);
  assert.ok(Math.abs(deviation / (bound / Math.sqrt(3)) - 1) < 0.05, `deviation ${deviation}`);
  const bias = tensor('fc.bias').data;
  assert.ok(bias.every((value) => value !== 0 && Math.abs(value) <= bound));
});

test('batch norm starts as the identity', () => {
  const starts = { weight: 1, bias: 0, running_mean: 0, running_var: 1 };
  for (const [part, value] of Object.entries(starts)) {
    for (const layer of ['bn1', 'layer2.0.downsample.1', 'layer4.1.bn2']) {
      assert.ok(
        tensor(`${layer}.${part}`).data.every((number) => number === value),
        `${layer}.${part}`,
      );
    }
  }
});

const drawn: Model = {
  build(m, images, classes) {
    const initializer = { kind: 'truncated-normal', std: 0.02 } as const;
    const x = m.conv('conv', images, { channels: 200, kernel: 5, bias: true, initializer });
    const y = m.conv('own', x, { channels: 8, kernel: 1, bias: true, biasInitializer: uniformByFanIn(200) });
    m.parameter('scale', [8, 1, 1], { kind: 'constant', value: 1e-6 });
    return m.linear('fc', globalAveragePool(y), classes, { initializer: { kind: 'uniform', bound: 0.25 } });
  },
  head: 'fc',
};

test('a layer is drawn as it says, its bias zero unless it says otherwise', async () => {
  const graph = new Graph();
  const parameters = new ParameterStore(graph);
  const m = new Module({ parameters, training: false, reads: new Reads(), statistics: [] });
  drawn.build(m, placeholder(graph, 'images', 'float32', [null, 8, 8, 3]), 40);
  const seed = placeholder(graph, 'seed', 'int32', [2]);
  const outputs = Object.fromEntries(parameters.all.map((each, index) => [each.name, each.draw(seed, index)]));
  const session = await openSession(await openRuntime('cpu'), graph, { draw: { inputs: { seed }, outputs } });
  const found = session.run('draw', { seed: int32([7, 0]) });
  session.dispose();
  const values = (name: string) => Array.from(outputOf(found, name).data);
  const largest = (name: string) => Math.max(...values(name).map(Math.abs));

  const normal = values('conv.weight');
  const deviation = Math.sqrt(normal.reduce((total, value) => total + value ** 2, 0) / normal.length);
  assert.ok(Math.abs(deviation / 0.02 - 1) < 5 / Math.sqrt(2 * normal.length), `deviation ${deviation}`);
  assert.ok(largest('conv.weight') > 3 * 0.02, 'cut off at 2, not at two deviations');
  assert.ok(values('conv.bias').every((value) => value === 0));
  assert.ok(largest('own.bias') > 0.4 / Math.sqrt(200) && largest('own.bias') <= 1 / Math.sqrt(200));
  assert.ok(values('scale').every((value) => value === Math.fround(1e-6)));
  assert.ok(largest('fc.weight') > 0.2 && largest('fc.weight') <= 0.25);
  assert.ok(values('fc.bias').every((value) => value === 0));
});

test('a truncated normal that would have to be cut is refused', () => {
  const graph = new Graph();
  const initializer = { kind: 'truncated-normal', std: 0.5 } as const;
  const spec = { name: 'wide', shape: [2], layout: 'plain', trainable: true, initializer } as const;
  const parameter = new ParameterStore(graph).get(spec);
  assert.throws(() => parameter.draw(placeholder(graph, 'seed', 'int32', [2]), 0), /internal: .* outside \[-2, 2\]/);
});
