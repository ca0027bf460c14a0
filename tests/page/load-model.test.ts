// The network's files from a web server, whole and damaged, as the page loads them; in Node, whose fetch is the same.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { exportTfjs } from '#src/export/tfjs.js';
import type { TensorFlow } from '#src/page/backend.js';
import { loadModel } from '#src/page/load-model.js';
import { loadTensorflow } from '#src/tensorflow/load.js';
import { referenceNetwork } from '../export/reference-network.js';
import { serveFiles } from './chromium.js';

const { tf } = await loadTensorflow('cpu');

const network = referenceNetwork('squeezenet1_1');
const weightsOf = (files: ReadonlyMap<string, Uint8Array>) => [...files].filter(([name]) => name.endsWith('.bin'));

/** Loads what a server has of these files. Resolves with all that was told of the progress. */
async function load(files: ReadonlyMap<string, Uint8Array>): Promise<readonly (readonly [number, number])[]> {
  const server = await serveFiles(files);
  const told: [number, number][] = [];
  try {
    const model = await loadModel(tf as unknown as TensorFlow, `${server.url}model.json`, (...progress) => {
      told.push(progress);
    });
    model.dispose();
  } finally {
    server.stop();
  }
  return told;
}

describe('the files of a network', () => {
  for (const quantize of ['none', 'float16', 'uint8'] as const) {
    test(`are loaded, quantized: ${quantize}, and the progress is told in bytes`, async () => {
      const files = exportTfjs(network, { quantize });
      const bytes = weightsOf(files).reduce((sum, [, { length }]) => sum + length, 0);
      const told = await load(files);
      assert.deepEqual(told.at(-1), [bytes, bytes]);
      for (const [index, [arrived, all]] of told.entries()) {
        assert.ok(all === bytes && arrived > (told[index - 1]?.[0] ?? 0));
      }
    });
  }

  const whole = exportTfjs(network);
  const [[shard, weights] = assert.fail()] = weightsOf(whole);
  const json = whole.get('model.json') ?? assert.fail();
  for (const [what, changes, says] of [
    ['without model.json', { 'model.json': undefined }, /^model\.json could not be loaded \(the server says 404\)/],
    ['with half of model.json', { 'model.json': json.subarray(0, json.length / 2) }, /^model\.json is damaged/],
    ['without a file of weights', { [shard]: undefined }, /^group1-shard1\S+ could not be loaded/],
    [
      'with half of one',
      { [shard]: weights.subarray(0, 1000) },
      /^its weights are not whole: expected \d+ bytes, found/,
    ],
  ] as const) {
    test(`are refused ${what}`, async () => {
      const files = new Map(whole);
      for (const [name, bytes] of Object.entries<Uint8Array | undefined>(changes)) {
        if (bytes) files.set(name, bytes);
        else files.delete(name);
      }
      await assert.rejects(load(files), { message: says });
    });
  }
});
