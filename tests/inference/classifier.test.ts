import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { openClassifier } from '#src/inference/classifier.js';
import { openRuntime, type Runtime } from '#src/tensorflow/runtime.js';
import {
  largestDifference,
  referenceBatch,
  referenceNetwork,
  referenceProbabilities,
} from '../export/reference-network.js';

describe('a classifier', () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await openRuntime('cpu');
  });

  // Depthwise convolution by our own kernels, an odd number of bytes, and batch norms that can't be folded.
  for (const [model, crop] of [
    ['efficientnet_lite0', 65],
    ['densenet121', 64],
  ] as const) {
    test(`gives the probabilities that training evaluates: ${model}`, async () => {
      const network = referenceNetwork(model, { crop });
      const batch = referenceBatch(network, 3);
      const expected = await referenceProbabilities(runtime, network, batch);
      const pixels = new Uint8Array(Math.ceil(batch.bytes.length / 4) * 4);
      pixels.set(batch.bytes);
      const classifier = await openClassifier(network, runtime);
      const { probabilities, logProbabilities, activations } = classifier.classify({ pixels, size: 3 });
      assert.ok(largestDifference(probabilities, expected.data) < 1e-5);
      assert.ok(largestDifference(logProbabilities.map(Math.exp), probabilities) < 1e-6);
      assert.equal(activations, undefined);
      classifier.close();
    });
  }

  // The convolutions are others.
  for (const [model, kernel] of [
    ['resnet18', 'DeepCnnWinograd'],
    ['regnet_y_400mf', 'DeepCnnGrouped'],
  ] as const) {
    test(`gives the same ones, however many images a batch has for the most part: ${model}`, async () => {
      const network = referenceNetwork(model, { crop: 64 });
      const { bytes } = referenceBatch(network, 4);
      const found: Float32Array[] = [];
      for (const batchSize of [1, 4]) {
        const classifier = await openClassifier(network, runtime, { batchSize });
        found.push(classifier.classify({ pixels: new Uint8Array(bytes), size: 4 }).probabilities);
        classifier.close();
      }
      const [few = new Float32Array(), many = new Float32Array()] = found;
      assert.ok(few.length > 0 && largestDifference(few, many) < 1e-5);
      if (runtime.kernels.has(kernel)) assert.notDeepEqual(few, many);
    });
  }

  test('leaves nothing behind', async () => {
    const network = referenceNetwork('squeezenet1_1');
    const { bytes } = referenceBatch(network, 2);
    const tensors = runtime.tensorCount();
    const classifier = await openClassifier(network, runtime, { explains: true });
    const { activations } = classifier.classify({ pixels: new Uint8Array(bytes), size: 2 });
    if (activations) classifier.explain(activations, [0, 1]);
    classifier.close();
    assert.ok(activations);
    assert.equal(runtime.tensorCount(), tensors);
  });
});
