// Replicas on one processor, each with its part of the batch, against one network with all of it.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { relu } from '#src/graph/ops/activation.js';
import type { Model } from '#src/models/model.js';
import { globalAveragePool } from '#src/models/module.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { partOf } from '#src/training/batch-parts.js';
import { compileSteps } from '#src/training/compile-steps.js';
import { requireGpus, requireXla } from '#src/training/gpus.js';
import { replicaFeeds } from '#src/training/replicas.js';
import { buildStepGraph, type StepGraphOptions } from '#src/training/step-graph.js';
import type { StepBatch, Steps } from '#src/training/steps.js';
import { classes, input, tinyBatch, tinyModel } from './tiny-network.js';

const runtime = await openRuntime('cpu');
const cpu = '/device:CPU:0';

const plainModel: Model = {
  build(m, images, outputs) {
    const x = relu(m.conv('conv', images, { channels: 6, kernel: 3, padding: 1, bias: true }));
    return m.linear('fc', globalAveragePool(x), outputs);
  },
  head: 'fc',
};

async function compile(options: Partial<StepGraphOptions>): Promise<Steps> {
  const steps = await compileSteps(runtime, {
    ...{ model: plainModel, classes, input, optimizer: { kind: 'sgd' as const, momentum: 0.9, weightDecay: 0.01 } },
    ...options,
  });
  after(() => steps.dispose());
  return steps;
}

/** The images of both. */
function joined(a: StepBatch, b: StepBatch): StepBatch {
  const used = [a, b].flatMap(({ pixels, labels }) => [...pixels.subarray(0, 3 * input.crop ** 2 * labels.length)]);
  const pixels = new Uint8Array(Math.ceil(used.length / 4) * 4);
  pixels.set(used);
  return { pixels, labels: Int32Array.of(...a.labels, ...b.labels) };
}

function assertClose(found: Steps, expected: Steps, tolerance = 1e-5): void {
  for (const read of ['readWeights', 'readSlots'] as const) {
    for (const [name, { data }] of expected[read]()) {
      const most = Math.max(...data.map(Math.abs));
      const other = found[read]().get(name)?.data;
      for (const [i, value] of data.entries()) {
        assert.ok(Math.abs((other?.[i] ?? Number.NaN) - value) <= tolerance * (most + 1e-6), `${name}[${i}]`);
      }
    }
  }
}

for (const [name, options] of Object.entries<Partial<StepGraphOptions>>({
  plain: {},
  'classes weighed': { classWeights: [0.3, 2.5, 1, 0.7] },
  guarded: { guard: true },
  'a part frozen': { freeze: 'conv' },
  'steps of several batches': { accumulate: true },
})) {
  test(`two and three replicas train as one, ${name}`, async () => {
    const one = await compile(options);
    const several = [
      await compile({ ...options, devices: [cpu, cpu] }),
      await compile({ ...options, devices: [cpu, cpu, cpu] }),
    ];
    for (const steps of [one, ...several]) steps.drawWeights(41);
    // Parts of unequal size, and fewer images than replicas.
    for (const [at, images] of [7, 4, 2, 1, 6].entries()) {
      const expected = one.train(tinyBatch(400 + at, images), 0.05);
      for (const steps of several) {
        const found = steps.train(tinyBatch(400 + at, images), 0.05);
        assert.ok(Math.abs(found.loss - expected.loss) < 1e-5, `${found.loss}, not ${expected.loss}`);
        assert.deepEqual([found.correctAt1, found.correctAt5], [expected.correctAt1, expected.correctAt5]);
      }
    }
    for (const steps of several) assertClose(steps, one);
  });
}

for (const precision of ['bfloat16', 'float16'] as const) {
  test(`replicas in ${precision} train near to one in float32`, async () => {
    const one = await compile({ model: tinyModel });
    const two = await compile({ model: tinyModel, precision, devices: [cpu, cpu] });
    for (const steps of [one, two]) steps.drawWeights(44);
    for (let at = 0; at < 6; at++) {
      // Halves of the same images, so that both normalise by the same numbers.
      const half = tinyBatch(440 + at, 4);
      const batch = joined(half, half);
      const [expected, found] = [one.train(batch, 0.05), two.train(batch, 0.05)];
      assert.ok(found.applied);
      assert.ok(Math.abs(found.loss - expected.loss) < 0.02 * expected.loss, `${found.loss}, not ${expected.loss}`);
    }
  });
}

test('each replica normalises by its own part, and the first one keeps the running statistics', async () => {
  const two = await compile({ model: tinyModel, devices: [cpu, cpu] });
  const halves = await compile({ model: tinyModel, accumulate: true });
  for (const steps of [two, halves]) steps.drawWeights(42);
  const batch = tinyBatch(420, 6);
  const half = (from: number, to: number) => partOf(batch, { from, to, imageBytes: 3 * input.crop ** 2 });
  halves.accumulate(half(0, 3));
  const afterFirst = halves.readWeights();
  halves.accumulate(half(3, 6));
  halves.endGroup(0.05);
  two.train(batch, 0.05);
  const [found, expected] = [two.readWeights(), halves.readWeights()];
  for (const [name, { data }] of expected) {
    const wanted = name.includes('running') ? (afterFirst.get(name)?.data ?? data) : data;
    for (const [i, value] of wanted.entries()) {
      assert.ok(Math.abs((found.get(name)?.data[i] ?? Number.NaN) - value) < 1e-5, `${name}[${i}]`);
    }
  }
});

test('bytes are cut on the host, as TensorFlow has no kernel for it on GPUs', () => {
  const devices = ['/device:GPU:0', '/device:GPU:1'];
  const options = { model: plainModel, classes, input, optimizer: { kind: 'adam' as const } };
  for (const { graph } of [buildStepGraph(options), buildStepGraph({ ...options, devices })]) {
    const cutting = graph.nodes.filter(({ op, outputs }) => op === 'Slice' && outputs[0]?.dtype === 'uint8');
    assert.ok(cutting.length > 0);
    for (const { name, device } of cutting) assert.equal(device, cpu, name);
  }
});

test('each replica drops others', async () => {
  const dropping: Model = {
    build: (m, images, outputs) => m.linear('fc', m.dropout(globalAveragePool(images), 0.5), outputs),
    head: 'fc',
  };
  const two = await compile({ model: dropping, devices: [cpu, cpu], optimizer: { kind: 'sgd', momentum: 0 } });
  two.drawWeights(43);
  const image = tinyBatch(430, 1);
  const twice = { pixels: new Uint8Array(152), labels: Int32Array.of(1, 1) };
  twice.pixels.set(image.pixels.subarray(0, 75));
  twice.pixels.set(image.pixels.subarray(0, 75), 75);
  const losses = new Set<number>();
  for (let at = 0; at < 6; at++) losses.add(two.train(twice, 0).loss);
  assert.ok(losses.size > 3);
});

test('a network on one unnamed device has no device in its graph; replicas have theirs, and share the variables', () => {
  const devicesOf = (devices?: string[]) => {
    const { graph } = buildStepGraph({
      ...{ model: tinyModel, classes, input, optimizer: { kind: 'adam' } },
      ...(devices && { devices }),
    });
    const used = (op: string) => [...new Set(graph.nodes.filter((node) => node.op === op).map(({ device }) => device))];
    return {
      filters: used('Conv2D'),
      backward: used('Conv2DBackpropFilter'),
      handles: used('VarHandleOp'),
      reads: used('ReadVariableOp'),
    };
  };
  assert.deepEqual(devicesOf(), {
    filters: [undefined],
    backward: [undefined],
    handles: [undefined],
    reads: [undefined],
  });
  const gpus = ['/device:GPU:0', '/device:GPU:1'];
  // The evaluation is where TensorFlow puts it.
  assert.deepEqual(devicesOf(gpus), {
    filters: [undefined, ...gpus],
    backward: gpus,
    handles: [undefined],
    reads: [undefined],
  });
});

test('every image goes to one replica, and every replica gets one', () => {
  for (const [images, replicas] of [
    [7, 3],
    [3, 3],
    [2, 4],
    [1, 2],
    [64, 8],
  ] as const) {
    const { replica_first: first, replica_images: counts, replica_counts: weights } = replicaFeeds(images, replicas);
    const counted = [...counts.data].map((count, i) => count * (weights.data[i] ?? 0));
    assert.equal(
      counted.reduce((sum, count) => sum + count, 0),
      images,
    );
    assert.ok(Math.max(...counted) - Math.min(...counted.filter((count) => count > 0)) <= 1);
    assert.ok([...counts.data].every((count, i) => count >= 1 && (first.data[i] ?? 0) + count <= images));
  }
});

test('more GPUs than there are, or none wanted, is refused', () => {
  requireGpus(1, 'cpu', () => 0);
  requireGpus(2, 'auto', () => 2);
  assert.throws(() => requireGpus(2, 'cpu', () => 2), /--gpus=2 and --device=cpu exclude each other/);
  assert.throws(() => requireGpus(3, 'cuda', () => 2), /more GPUs than there are: expected at most 2, found 3/);
  assert.throws(() => requireGpus(2, 'auto', () => 0), /See `deep-cnn doctor`/);
});

test('XLA is for GPUs, and repeats nothing to the bit', () => {
  const asked = { xla: true, device: 'auto', deterministic: false } as const;
  requireXla(asked);
  requireXla({ xla: false, device: 'cpu', deterministic: true });
  assert.throws(() => requireXla({ ...asked, device: 'cpu' }), /--xla and --device=cpu exclude each other/);
  assert.throws(() => requireXla({ ...asked, deterministic: true }), /--xla and --deterministic exclude each other/);
});
