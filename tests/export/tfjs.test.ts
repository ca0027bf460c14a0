import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { exportTfjs } from '#src/export/tfjs.js';
import { float32, int32 } from '#src/graph/session.js';
import { loadGraphModel } from '#src/tensorflow/graph-model.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { largestDifference, referenceBatch, referenceNetwork, referenceProbabilities } from './reference-network.js';

const runtime = await openRuntime('cpu');

interface ModelJson {
  modelTopology: { node: { name: string; op: string }[] };
  weightsManifest: { paths: string[]; weights: { name: string; dtype: string; quantization?: { dtype: string } }[] }[];
}

const readModel = (files: ReadonlyMap<string, Uint8Array>): ModelJson =>
  JSON.parse(Buffer.from(files.get('model.json') ?? []).toString('utf8'));

describe('a graph model', () => {
  const network = referenceNetwork('squeezenet1_1', { crop: 32 });
  const batch = referenceBatch(network, 3);

  test('runs on kernels in plain JavaScript, with images that are normalised already', async () => {
    const expected = await referenceProbabilities(runtime, network, batch);
    const loaded = await loadGraphModel(exportTfjs(network, { input: 'floats' }), 'cpu');
    const found = await loaded.predict(float32(batch.floats, batch.shape));
    loaded.dispose();
    assert.ok(largestDifference(found.data, expected.data) < 1e-5);
  });

  test('says what it is', async () => {
    const { model, classes, preprocessing } = network;
    const loaded = await loadGraphModel(exportTfjs(network));
    loaded.dispose();
    assert.deepEqual(loaded.metadata, {
      ...{ model, classes, preprocessing, input: 'bytes' },
      classMaps: { features: 'Relu_25' },
    });
  });

  test('is smaller with quantized weights, and nearly the same', async () => {
    const expected = await referenceProbabilities(runtime, network, batch);
    const whole = bytesOf(exportTfjs(network));
    for (const [quantize, bound, share] of [
      ['float16', 2e-3, 0.51],
      ['uint8', 0.1, 0.28],
    ] as const) {
      const files = exportTfjs(network, { quantize });
      assert.ok(bytesOf(files) < share * whole, quantize);
      const loaded = await loadGraphModel(files);
      const found = await loaded.predict(int32(batch.bytes, batch.shape));
      loaded.dispose();
      const difference = largestDifference(found.data, expected.data);
      assert.ok(difference > 0 && difference < bound, `${quantize}: ${difference}`);
    }
  });

  test('adds biases and applies ReLU in its convolutions', () => {
    const counts = new Map<string, number>();
    for (const { op } of readModel(exportTfjs(network)).modelTopology.node) counts.set(op, (counts.get(op) ?? 0) + 1);
    assert.equal(counts.get('_FusedConv2D'), 26);
    assert.equal(counts.get('Relu'), undefined);
    assert.equal(counts.get('BiasAdd'), undefined);
  });

  test('has files of weights of at most 4 MB, all of which are in its manifest', () => {
    const files = exportTfjs(referenceNetwork('resnet18'));
    const [group] = readModel(files).weightsManifest;
    const shards = [...files].filter(([name]) => name !== 'model.json');
    assert.deepEqual(
      shards.map(([name]) => name),
      group?.paths,
    );
    assert.ok(shards.length > 10 && shards.every(([, bytes]) => bytes.length <= 4 * 2 ** 20));
  });
});

function bytesOf(files: ReadonlyMap<string, Uint8Array>): number {
  return [...files].reduce((sum, [name, bytes]) => (name === 'model.json' ? sum : sum + bytes.length), 0);
}
