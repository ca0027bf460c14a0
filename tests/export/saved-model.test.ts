import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { exportSavedModel, servingSignature } from '#src/export/saved-model.js';
import { float32, int32, outputOf } from '#src/graph/session.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { largestDifference, referenceBatch, referenceNetwork, referenceProbabilities } from './reference-network.js';

const runtime = await openRuntime('cpu');

describe('a SavedModel computes what training evaluates', () => {
  for (const input of ['bytes', 'floats'] as const) {
    test(`from ${input}`, async () => {
      const network = referenceNetwork('resnet18');
      const batch = referenceBatch(network, 3);
      const expected = await referenceProbabilities(runtime, network, batch);
      const file = exportSavedModel(network, { input });
      const model = await runtime.loadModel({ whole: file, signaturesOnly: file }, [servingSignature]);
      const pixels = input === 'bytes' ? int32(batch.bytes, batch.shape) : float32(batch.floats, batch.shape);
      const found = outputOf(model.run(servingSignature, { pixels }), 'probabilities');
      model.dispose();
      assert.deepEqual(found.shape, [3, 5]);
      assert.ok(largestDifference(found.data, expected.data) < 1e-5);
    });
  }
});
