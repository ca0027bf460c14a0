// Mixup and CutMix: what is drawn, and what the graph makes of it.

import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { Graph } from '#src/graph/graph.js';
import { placeholder } from '#src/graph/ops/source.js';
import { float32, openSession, outputOf } from '#src/graph/session.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compileSteps } from '#src/training/compile-steps.js';
import { drawMix, type Mix, mixFeeds, mixImages, mixInputs, unmixed } from '#src/training/mixing.js';
import type { Steps } from '#src/training/steps.js';
import { assertClose } from '../graph/closeness.js';
import { classes, input, tinyBatch, tinyModel, tinyWeights } from './tiny-network.js';

const runtime = await openRuntime('cpu');
const crop = 224;
const draws = (count: number, options: { mixup: number; cutmix: number }, seed = 42) =>
  Array.from({ length: count }, (_, step) => drawMix(options, seed, step, crop));

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const variance = (values: readonly number[]) => mean(values.map((value) => (value - mean(values)) ** 2));
const wholeBox = [0, 0, crop, crop];

describe('drawMix', () => {
  it('gives the same for the same seed and step, and other mixes for others', () => {
    for (const options of [
      { mixup: 0.2, cutmix: 0 },
      { mixup: 0, cutmix: 1 },
      { mixup: 0.4, cutmix: 1 },
    ]) {
      assert.deepEqual(draws(50, options), draws(50, options));
      const shares = [1, 2, 3].flatMap((seed) => draws(500, options, seed).map(({ labelShare }) => labelShare));
      // A box may be empty, or the same number of pixels twice.
      const least = options.cutmix > 0 ? 900 : 1500;
      assert.ok(new Set(shares).size >= least, `${new Set(shares).size} different`);
    }
  });

  it('takes seeds up to 2^32 - 1', () => {
    const shares = [0, 2 ** 31, 2 ** 32 - 1].map((seed) => drawMix({ mixup: 1, cutmix: 0 }, seed, 7, crop).labelShare);
    assert.equal(new Set(shares).size, 3);
  });

  for (const alpha of [0.2, 1, 4]) {
    it(`blends with shares of Beta(${alpha}, ${alpha})`, () => {
      const mixes = draws(2000, { mixup: alpha, cutmix: 0 });
      const shares = mixes.map(({ labelShare }) => labelShare);
      const expected = 1 / (4 * (2 * alpha + 1));
      // Five standard errors of the mean; of the variance at most as many, since a beta's kurtosis is below 3.
      assert.ok(Math.abs(mean(shares) - 0.5) < 5 * Math.sqrt(expected / 2000), `mean ${mean(shares)}`);
      const error = Math.abs(variance(shares) / expected - 1);
      assert.ok(error < 5 * Math.sqrt(2 / 2000), `variance ${variance(shares)}, not ${expected}`);
      for (const { amount, box, labelShare } of mixes) {
        assert.deepEqual(box, wholeBox);
        assert.ok(labelShare >= 0 && labelShare <= 1);
        assert.equal(amount, 1 - labelShare);
      }
    });
  }

  it('draws no nonsense from very small and large parameters', () => {
    for (const alpha of [1e-6, 1e-3, 1e3]) {
      for (const { amount, labelShare } of draws(500, { mixup: alpha, cutmix: 0 })) {
        assert.ok(labelShare >= 0 && labelShare <= 1 && amount >= 0 && amount <= 1, `${alpha}: ${labelShare}`);
      }
    }
  });

  it('cuts boxes of whole pixels inside the image, which take the share of the label that they cover', () => {
    const mixes = draws(2000, { mixup: 0, cutmix: 1 });
    for (const { amount, box, labelShare } of mixes) {
      const [top, left, bottom, right] = box;
      assert.ok(
        box.every((side) => Number.isInteger(side) && side >= 0 && side <= crop),
        `${box}`,
      );
      assert.ok(top <= bottom && left <= right, `${box}`);
      assert.equal(amount, 1);
      assert.ok(Math.abs(labelShare - (1 - ((bottom - top) * (right - left)) / crop ** 2)) < 1e-12);
    }
    // Boxes reach all edges.
    assert.equal(Math.min(...mixes.map(({ box: [top] }) => top)), 0);
    assert.equal(Math.max(...mixes.map(({ box: [, , , right] }) => right)), crop);
  });

  it('centres boxes anywhere, and makes them as large as the paper', () => {
    const mixes = draws(2000, { mixup: 0, cutmix: 1 });
    // A box that no edge cuts is square.
    const square = mixes.filter(({ box: [top, left, bottom, right] }) => bottom - top === right - left);
    assert.ok(square.length > 200 && square.length < 1000, `${square.length}`);
    // The box takes up the share sqrt(u) of each side before the edges cut it, u uniform.
    const expected = 1 - mean(Array.from({ length: 10_000 }, (_, i) => insideShare(Math.sqrt((i + 0.5) / 10_000))));
    const shares = mixes.map(({ labelShare }) => labelShare);
    assert.ok(
      Math.abs(mean(shares) - expected) < 5 * Math.sqrt(variance(shares) / 2000),
      `${mean(shares)}, ${expected}`,
    );
    const centres = mixes.map(({ box: [top, , bottom] }) => (top + bottom) / 2 / crop);
    assert.ok(Math.abs(mean(centres) - 0.5) < 5 * Math.sqrt(variance(centres) / 2000), `${mean(centres)}`);
  });

  it('takes either where both are on, each half of the time', () => {
    const mixes = draws(2000, { mixup: 0.4, cutmix: 1 });
    const cut = mixes.filter(({ amount }) => amount === 1).length;
    assert.ok(Math.abs(cut - 1000) < 5 * Math.sqrt(500), `${cut}`);
  });
});

/** Mean area within the unit square of a square of this side whose centre is uniform in it. */
function insideShare(side: number): number {
  return (side - side ** 2 / 4) ** 2;
}

describe('mixImages', async () => {
  const [height, width, channels] = [4, 4, 2];
  const graph = new Graph();
  const images = placeholder(graph, 'images', 'float32', [null, height, width, channels]);
  const inputs = mixInputs(graph);
  const session = await openSession(runtime, graph, {
    mix: { inputs: { images, ...inputs }, outputs: { mixed: mixImages(images, inputs) } },
  });
  after(() => session.dispose());

  const size = height * width * channels;
  const values = (count: number) => Float32Array.from({ length: count * size }, (_, i) => ((i * 29) % 53) / 8 - 3);
  const mixed = (count: number, mix: Mix) => {
    const fed = float32(values(count), [count, height, width, channels]);
    return outputOf(session.run('mix', { images: fed, ...mixFeeds(mix) }), 'mixed').data;
  };
  /** By hand: pixel by pixel from the image at the mirrored place. */
  const expected = (count: number, { amount, box: [top, left, bottom, right] }: Mix) => {
    const source = values(count);
    return source.map((own, i) => {
      const n = Math.floor(i / size);
      const [y, x] = [Math.floor((i % size) / (width * channels)), Math.floor(i / channels) % width];
      const other = source[i + (count - 1 - 2 * n) * size] ?? Number.NaN;
      const isInside = y >= top && y < bottom && x >= left && x < right;
      return isInside ? own * (1 - amount) + other * amount : own;
    });
  };

  for (const [name, mix] of Object.entries<Mix>({
    'mixup blends whole images': { amount: 0.3, box: [0, 0, 4, 4], labelShare: 0.7 },
    'CutMix puts in a box': { amount: 1, box: [1, 0, 3, 3], labelShare: 0.625 },
    'a box of one pixel': { amount: 1, box: [3, 2, 4, 3], labelShare: 15 / 16 },
    'an empty box changes nothing': { amount: 1, box: [2, 1, 2, 4], labelShare: 1 },
  })) {
    it(name, () => {
      for (const count of [1, 2, 5]) assertClose(mixed(count, mix), expected(count, mix), 1e-6);
    });
  }

  it('leaves images alone to the bit where nothing is mixed', () => {
    assert.deepEqual(mixed(3, unmixed), values(3));
  });

  it('leaves the middle image of an odd batch to itself', () => {
    const found = mixed(5, { amount: 0.3, box: [0, 0, 4, 4], labelShare: 0.7 });
    assert.deepEqual(found.slice(2 * size, 3 * size), values(5).slice(2 * size, 3 * size));
  });
});

describe('training with mixing', async () => {
  const optimizer = { kind: 'adam' } as const;
  const compile = async (mixing: boolean): Promise<Steps> => {
    const steps = await compileSteps(runtime, { model: tinyModel, classes, input, optimizer, mixing });
    after(() => steps.dispose());
    return steps;
  };
  const [steps, plain] = [await compile(true), await compile(false)];
  const batches = [4, 3, 4, 1, 5].map((images, index) => tinyBatch(400 + index, images));
  const train = (mixOf?: (step: number) => Mix, run: Steps = steps) => {
    run.loadWeights(tinyWeights(1));
    const losses = batches.map((batch, step) => run.train(batch, 0.05, mixOf && { mix: mixOf(step) }).loss);
    return { losses, weights: run.readWeights() };
  };
  const drawn = (seed: number) => (step: number) => drawMix({ mixup: 1, cutmix: 1 }, seed, step, input.crop);

  it('is the same again for the same seed, and another for another', () => {
    const first = train(drawn(1));
    assert.deepEqual(train(drawn(1)), first);
    assert.notDeepEqual(train(drawn(2)).losses, first.losses);
  });

  it('is plain training where nothing is mixed', () => {
    const [without, none] = [train(undefined, plain), train(() => unmixed)];
    assertClose(none.losses, without.losses, 1e-6);
    for (const [name, { data }] of without.weights) assertClose(none.weights.get(name)?.data ?? [], data, 1e-5);
    assert.deepEqual(train().losses, none.losses);
  });

  it('does not mix what is evaluated', () => {
    for (const each of [steps, plain]) each.loadWeights(tinyWeights(2));
    for (const batch of batches) assert.deepEqual(steps.evaluate(batch), plain.evaluate(batch));
  });

  it('gives all of the other image and its label the loss of the batch in reverse', () => {
    const [batch] = batches;
    assert.ok(batch);
    const { crop: side } = input;
    steps.loadWeights(tinyWeights(3));
    const swapped = steps.train(batch, 0.05, { mix: { amount: 1, box: [0, 0, side, side], labelShare: 0 } });
    steps.loadWeights(tinyWeights(3));
    assertClose([swapped.loss], [steps.train(batch, 0.05).loss], 1e-6);
  });
});
