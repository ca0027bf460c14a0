// The page's network on TensorFlow.js in Node: all of it but the browser.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { exportTfjs } from '#src/export/tfjs.js';
import type { TensorFlow } from '#src/page/backend.js';
import { type Network, openNetwork } from '#src/page/network.js';
import { artifactsOf } from '#src/tensorflow/graph-model.js';
import { loadTensorflow } from '#src/tensorflow/load.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { referenceBatch, referenceNetwork, referenceProbabilities } from '../export/reference-network.js';

const runtime = await openRuntime('cpu');
const { tf } = await loadTensorflow('cpu');

/** Opens what an export would hold. */
async function open(files: ReadonlyMap<string, Uint8Array>): Promise<Network> {
  const model = await tf.loadGraphModel({ load: async () => artifactsOf(tf, files) });
  return openNetwork(tf as unknown as TensorFlow, model as never);
}

describe('the network of the page', () => {
  for (const input of ['bytes', 'floats'] as const) {
    test(`computes the probabilities, exported for ${input}`, async () => {
      const network = referenceNetwork('squeezenet1_1', { crop: 64 });
      const batch = referenceBatch(network, 1);
      const expected = await referenceProbabilities(runtime, network, batch);
      const opened = await open(exportTfjs(network, { input }));
      const { probabilities } = await opened.classify(batch.bytes);
      opened.dispose();
      for (const [index, value] of probabilities.entries()) {
        assert.ok(Math.abs(value - (expected.data[index] ?? 0)) < 1e-5);
      }
    });
  }
});

describe('class activation maps', () => {
  // Averaged over the image they are the scores, without the bias.
  for (const [model, bias, quantizations] of [
    ['resnet18', 'fc.bias', ['none']],
    ['mobilenet_v2', 'classifier.1.bias', ['none', 'uint8']],
    ['densenet121', 'classifier.bias', ['none']],
    ['squeezenet1_1', undefined, ['none', 'uint8']],
  ] as const) {
    for (const quantize of quantizations) {
      test(`of ${model}, quantized: ${quantize}, are what its scores are averages of`, async () => {
        const network = referenceNetwork(model, { crop: 96 });
        const opened = await open(exportTfjs(network, { quantize }));
        const { probabilities, maps } = await opened.classify(referenceBatch(network, 1).bytes);
        opened.dispose();
        const biases = bias === undefined ? undefined : network.weights.get(bias)?.data;
        const scores = maps.map(({ category, values, width, height }) => {
          assert.equal(values.length, width * height);
          return values.reduce((sum, value) => sum + value, 0) / values.length + (biases?.[category] ?? 0);
        });
        assert.equal(maps.length, 5);
        const [first] = maps;
        for (const [index, { category }] of maps.entries()) {
          const expected = Math.log((probabilities[category] ?? 0) / (probabilities[first?.category ?? 0] ?? 0));
          const found = (scores[index] ?? 0) - (scores[0] ?? 0);
          assert.ok(Math.abs(found - expected) < 1e-3 * Math.max(1, Math.abs(expected)), `${found}, not ${expected}`);
        }
      });
    }
  }

  test('of a network with two linear layers there are none', async () => {
    const network = referenceNetwork('mobilenet_v3_small', { crop: 64 });
    const opened = await open(exportTfjs(network));
    assert.equal(opened.description.classMaps, undefined);
    const { maps } = await opened.classify(referenceBatch(network, 1).bytes);
    opened.dispose();
    assert.deepEqual(maps, []);
  });
});
