import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { Graph } from '#src/graph/graph.js';
import { placeholder } from '#src/graph/ops/source.js';
import { float32, openSession, outputOf } from '#src/graph/session.js';
import { substitute } from '#src/graph/substitute.js';
import { type Activations, openClassifier } from '#src/inference/classifier.js';
import { addGradCam, lastActivations } from '#src/inference/grad-cam.js';
import type { TrainedNetwork } from '#src/inference/network.js';
import { addNetwork } from '#src/inference/network-graph.js';
import { factsOf } from '#src/models/facts.js';
import { Module } from '#src/models/module.js';
import { ParameterStore, Reads } from '#src/models/parameters.js';
import { modelNames, requireModel } from '#src/models/registry.js';
import { openRuntime, type Runtime } from '#src/tensorflow/runtime.js';
import { largestDifference, referenceBatch, referenceNetwork } from '../export/reference-network.js';

/** Places at the side of the last activations, at the model's own image size, for those that are not a 32nd of it. */
const unusual: Readonly<Record<string, number>> = {
  ...{ alexnet: 13, squeezenet1_0: 13, squeezenet1_1: 13, inception_v3: 8 },
  ...Object.fromEntries(
    [11, 13, 16, 19].flatMap((depth) => [`vgg${depth}`, `vgg${depth}_bn`].map((name) => [name, 14])),
  ),
};

test('the last activations are found in every network', () => {
  for (const name of modelNames()) {
    const { crop } = factsOf(name);
    const graph = new Graph();
    const images = placeholder(graph, 'images', 'float32', [null, crop, crop, 3]);
    const module = new Module({
      ...{ parameters: new ParameterStore(graph), training: false, reads: new Reads(), statistics: [] },
    });
    const logits = requireModel(name).build(module, images, 7);
    const { shape } = lastActivations(images, logits);
    const side = unusual[name] ?? Math.ceil(crop / 32);
    assert.deepEqual(shape.slice(1, 3), [side, side], name);
    const isScoreMap = name.startsWith('squeezenet');
    assert.ok(isScoreMap ? shape[3] === 7 : Number(shape[3]) >= 256, name);
  }
});

describe('Grad-CAM', () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await openRuntime('cpu');
  });

  const classes = [3, 1];

  async function explained(network: TrainedNetwork) {
    const { bytes } = referenceBatch(network, 2);
    const classifier = await openClassifier(network, runtime, { explains: true });
    const { activations } = classifier.classify({ pixels: new Uint8Array(bytes), size: 2 });
    assert.ok(activations);
    const maps = classifier.explain(activations, classes);
    classifier.close();
    return { activations, maps };
  }

  for (const [model, head] of [
    ['resnet18', 'fc'],
    ['densenet121', 'classifier'],
    ['mobilenet_v2', 'classifier.1'],
    ['googlenet', 'fc'],
  ] as const) {
    test(`is the class activation map of a network that ends in a mean and a linear layer: ${model}`, async () => {
      const network = referenceNetwork(model);
      const { activations, maps } = await explained(network);
      const weights = network.weights.get(`${head}.weight`)?.data ?? [];
      // Zhou et al. 2016: the sum over channels k of w(c, k) A(k, place).
      const channels = activations.shape[3] ?? 0;
      const expected = mapsOf(
        activations,
        (image, k) => (weights[(classes[image] ?? 0) * channels + k] ?? 0) / places(activations),
      );
      assert.ok(expected.some((value) => value > 0));
      const largest = expected.reduce((a, b) => Math.max(a, b), 0);
      assert.ok(largestDifference(maps.data, expected) < 1e-5 * largest);
    });
  }

  // A hidden layer between the activations and the scores; activations that are scores.
  for (const model of ['mobilenet_v3_small', 'squeezenet1_1'] as const) {
    test(`weighs channels by what finite differences say: ${model}`, async () => {
      const network = referenceNetwork(model);
      const { activations, maps } = await explained(network);
      const slopes = await channelSlopes(network, activations);
      const channels = activations.shape[3] ?? 0;
      const expected = mapsOf(activations, (image, k) => (slopes[image * channels + k] ?? 0) / places(activations));
      const largest = expected.reduce((a, b) => Math.max(a, b), 0);
      assert.ok(largest > 0);
      assert.ok(largestDifference(maps.data, expected) < 2e-2 * largest);
    });
  }

  /** What a class's score gains where a whole channel of an image grows by a little, each of them alone: [images, channels]. */
  async function channelSlopes(network: TrainedNetwork, { data, shape }: Activations): Promise<number[]> {
    const { crop } = network.preprocessing;
    const images = placeholder(new Graph(), 'images', 'float32', [null, crop, crop, 3]);
    const { logits, freeze } = addNetwork(network, images);
    const { given } = addGradCam(images, logits);
    const { scores } = substitute({ scores: logits }, lastActivations(images, logits), given);
    const made = freeze({ given, scores });
    const session = await openSession<'run'>(runtime, made.scores.graph, {
      run: { inputs: { given: made.given }, outputs: { scores: made.scores } },
    });
    const [, height = 0, width = 0, channels = 0] = shape;
    const size = height * width * channels;
    const scoresAt = (image: number, step: number) => {
      // Each row is the image with another channel changed.
      const changed = Float32Array.from({ length: channels * size }, (_, i) => {
        const [row, at] = [Math.floor(i / size), i % size];
        return (data[image * size + at] ?? 0) + (at % channels === row ? step : 0);
      });
      const input = float32(changed, [channels, height, width, channels]);
      return outputOf(session.run('run', { given: input }), 'scores').data;
    };
    const scale = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const step = 1e-2 * scale;
    const slopes = classes.flatMap((wanted, image) => {
      const [above, below] = [scoresAt(image, step), scoresAt(image, -step)];
      const count = network.classes.length;
      return Array.from({ length: channels }, (_, k) => {
        const at = k * count + wanted;
        return ((above[at] ?? 0) - (below[at] ?? 0)) / (2 * step);
      });
    });
    session.dispose();
    return slopes;
  }
});

const places = ({ shape: [, height = 0, width = 0] }: Activations) => height * width;

/** max(0, the sum over channels k of weight(image, k) A(k, place)), [images, height, width]. */
function mapsOf(activations: Activations, weight: (image: number, channel: number) => number): number[] {
  const { data, shape } = activations;
  const channels = shape[3] ?? 0;
  const here = places(activations);
  return Array.from({ length: data.length / channels }, (_, place) => {
    const image = Math.floor(place / here);
    const row = data.subarray(place * channels, (place + 1) * channels);
    return Math.max(
      0,
      row.reduce((sum, value, k) => sum + weight(image, k) * value, 0),
    );
  });
}
