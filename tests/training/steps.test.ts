// The compiled steps of a tiny network against the same network, gradients and optimizers in plain float64.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compileSteps } from '#src/training/compile-steps.js';
import type { OptimizerOptions } from '#src/training/optimizer.js';
import type { StepBatch, Steps } from '#src/training/steps.js';
import type { StateDict } from '#src/weights/state-dict.js';
import { assertClose, relativeError } from '../graph/closeness.js';
import { classes, input, NaiveNetwork, tinyBatch, tinyModel, tinyShapes, tinyWeights } from './tiny-network.js';

const runtime = await openRuntime('cpu');

async function compile(optimizer: OptimizerOptions, precision: 'float32' | 'bfloat16' = 'float32'): Promise<Steps> {
  const steps = await compileSteps(runtime, { model: tinyModel, classes, input, optimizer, precision });
  after(() => steps.dispose());
  return steps;
}

const adam = await compile({ kind: 'adam' });
const sgd = await compile({ kind: 'sgd', momentum: 0.9 });

/** The last batch of an epoch is smaller, and a batch may be a single image. */
const batches = [4, 3, 4, 1, 4, 3].map((images, index) => tinyBatch(100 + index, images));
const rates = [0.05, 0.02, 0.01, 0.03, 0.005, 0.02];

type Rule = (weight: number, gradient: number, slot: { m: number; v: number }, step: number, rate: number) => number;

/** As torch.optim.Adam is documented. */
const naiveAdam: Rule = (weight, gradient, slot, step, rate) => {
  slot.m = 0.9 * slot.m + 0.1 * gradient;
  slot.v = 0.999 * slot.v + 0.001 * gradient ** 2;
  const [m, v] = [slot.m / (1 - 0.9 ** step), slot.v / (1 - 0.999 ** step)];
  return weight - (rate * m) / (Math.sqrt(v) + 1e-8);
};

/** As torch.optim.SGD is documented. */
const naiveSgd: Rule = (weight, gradient, slot, _step, rate) => {
  slot.m = 0.9 * slot.m + gradient;
  return weight - rate * slot.m;
};

for (const [name, steps, rule] of [
  ['Adam', adam, naiveAdam],
  ['SGD with momentum', sgd, naiveSgd],
] as const) {
  test(`${name} trains as by hand, over batches of different sizes`, () => {
    const start = tinyWeights(1);
    steps.loadWeights(start);
    const naive = new NaiveNetwork(start);
    const slots = new Map([...naive.weights].map(([key, values]) => [key, Array.from(values, () => ({ m: 0, v: 0 }))]));
    for (const [index, batch] of batches.entries()) {
      const rate = rates[index] ?? 0;
      const result = steps.train(batch, rate);
      const { loss, gradients } = naive.differentiate(batch);
      assert.equal(result.images, batch.labels.length);
      assertClose([result.loss], [loss], 1e-5);
      for (const [key, gradient] of gradients) {
        const updated = naive.get(key).map((weight, i) => {
          const slot = slots.get(key)?.[i];
          assert.ok(slot);
          return rule(weight, gradient[i] ?? Number.NaN, slot, index + 1, rate);
        });
        naive.weights.set(key, updated);
      }
    }
    const found = steps.readWeights();
    for (const [key, expected] of naive.weights) {
      const moved = relativeError(start.get(key)?.data ?? [], expected);
      assert.ok(moved > 1e-2, `${key} hardly moved: ${moved}`);
      assertClose(found.get(key)?.data ?? [], expected, 2e-5);
    }
  });
}

test('scores are those of the running statistics', () => {
  adam.loadWeights(tinyWeights(2));
  const naive = new NaiveNetwork(tinyWeights(2));
  for (const batch of batches) assertClose(adam.evaluate(batch).logits, naive.score(batch).values, 1e-5);
});

test('gradients are those by hand, and change nothing', () => {
  adam.loadWeights(tinyWeights(3));
  const before = adam.readWeights();
  const [batch] = batches;
  assert.ok(batch);
  const found = adam.gradients(batch);
  const { gradients } = new NaiveNetwork(tinyWeights(3)).differentiate(batch);
  assert.deepEqual(
    [...found.keys()],
    Object.keys(tinyShapes).filter((name) => !name.includes('running')),
  );
  for (const [name, expected] of gradients) {
    assert.deepEqual(found.get(name)?.shape, tinyShapes[name]);
    assertClose(found.get(name)?.data ?? [], expected, 1e-5);
  }
  assert.deepEqual(adam.readWeights(), before);
});

test('evaluation gives the loss and the hits, and changes nothing', () => {
  adam.loadWeights(tinyWeights(4));
  const before = adam.readWeights();
  for (const batch of batches) {
    const { loss, correctAt1, correctAt5, logits, images } = adam.evaluate(batch);
    const rows = Array.from(batch.labels, (label, n) => {
      const scores = [...logits.subarray(n * classes, (n + 1) * classes)];
      const own = scores[label] ?? Number.NaN;
      const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
      return { loss: Math.log(total) - own, hit: own === Math.max(...scores) ? 1 : 0 };
    });
    assertClose([loss], [rows.reduce((sum, row) => sum + row.loss, 0) / images], 1e-5);
    assert.equal(
      correctAt1,
      rows.reduce((sum, row) => sum + row.hit, 0),
    );
    // With fewer than five classes every label is among the five highest.
    assert.equal(correctAt5, images);
  }
  assert.deepEqual(adam.readWeights(), before);
});

test('weights come back bit for bit, in torchvision’s order', () => {
  const odd = new Map(tinyWeights(5));
  odd.set('fc.bias', { shape: [classes], data: Float32Array.of(-0, 1e-45, 3.4e38, Number.NEGATIVE_INFINITY) });
  adam.loadWeights(odd);
  const found = adam.readWeights();
  assert.deepEqual([...found.keys()], Object.keys(tinyShapes));
  assert.deepEqual(
    adam.parameters.map(({ name, shape, trainable }) => [name, shape, trainable]),
    Object.entries(tinyShapes).map(([name, shape]) => [name, shape, !name.includes('running')]),
  );
  for (const [name, { shape, data }] of odd) {
    assert.deepEqual(found.get(name)?.shape, shape);
    assert.deepEqual(bits(found.get(name)?.data), bits(data), name);
  }
});

const bits = (data: Float32Array | undefined) => data && new Uint32Array(data.buffer, data.byteOffset, data.length);

const losses = (steps: Steps) => batches.map((batch) => steps.train(batch, 0.05).loss);

test('the same seed gives the same losses in another session, another seed others', async () => {
  adam.drawWeights(42);
  const first = losses(adam);
  const other = await compile({ kind: 'adam' });
  other.drawWeights(42);
  assert.deepEqual(losses(other), first);
  other.drawWeights(43);
  assert.notEqual(losses(other)[0], first[0]);
});

test('loading and drawing weights start the optimizer anew', () => {
  for (const steps of [adam, sgd]) {
    steps.loadWeights(tinyWeights(6));
    const first = losses(steps);
    steps.loadWeights(tinyWeights(6));
    assert.deepEqual(losses(steps), first);
    steps.drawWeights(7);
    const drawn = losses(steps);
    steps.drawWeights(7);
    assert.deepEqual(losses(steps), drawn);
  }
});

test('weights that do not fit are refused', () => {
  const good = tinyWeights(8);
  const change = (
    edit: (weights: Map<string, { shape: readonly number[]; data: Float32Array }>) => void,
  ): StateDict => {
    const weights = new Map(good);
    edit(weights);
    return weights;
  };
  const without = change((weights) => weights.delete('bn.bias'));
  assert.throws(() => adam.loadWeights(without), /internal: init was run without its input bn\.bias/);
  const misshapen = change((weights) => weights.set('bn.bias', { shape: [1], data: new Float32Array(1) }));
  assert.throws(() => adam.loadWeights(misshapen), /internal: init needs bn\.bias as float32\[6\]/);
  const more = change((weights) => weights.set('bn2.bias', { shape: [1], data: new Float32Array(1) }));
  assert.throws(() => adam.loadWeights(more), /internal: init has no input bn2\.bias/);
});

test('a batch with too few pixels fails', () => {
  adam.drawWeights(1);
  const { pixels } = tinyBatch(1, 1);
  assert.throws(() => adam.train({ pixels, labels: Int32Array.of(0, 1) }, 0.1));
});

test('bytes after the last image change nothing', () => {
  const batch = tinyBatch(9, 3);
  const zeros: StepBatch = { ...batch, pixels: new Uint8Array(228).subarray(0, 225) };
  zeros.pixels.set(batch.pixels);
  adam.loadWeights(tinyWeights(9));
  assert.deepEqual(adam.evaluate(zeros), adam.evaluate(batch));
});

test('in bfloat16 the losses are nearly those of float32', async () => {
  const steps = await compile({ kind: 'sgd' }, 'bfloat16');
  for (const each of [steps, sgd]) each.loadWeights(tinyWeights(10));
  const [low, full] = [losses(steps), losses(sgd)];
  assertClose(low, full, 0.05);
  assert.notDeepEqual(low, full);
});

test('tensors and memory stay flat over 200 steps', () => {
  adam.drawWeights(11);
  const run = (count: number) => {
    for (let i = 0; i < count; i++) {
      for (const batch of batches.slice(0, 2)) adam.train(batch, 1e-3);
      if (i % 10 === 0 && batches[0]) adam.evaluate(batches[0]);
    }
  };
  run(100);
  const [tensors, bytes] = [runtime.tensorCount(), process.memoryUsage.rss()];
  run(100);
  assert.equal(runtime.tensorCount(), tensors);
  const grownMb = (process.memoryUsage.rss() - bytes) / 2 ** 20;
  assert.ok(grownMb < 16, `${grownMb} MB more`);
});
