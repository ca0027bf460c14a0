// One network of each family in every format: nothing but standard ops, and the same numbers as in training's evaluation.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { exportGraph } from '#src/export/export-graph.js';
import { type OnnxModel, onnxModel } from '#src/export/onnx/onnx.js';
import { exportTfjs } from '#src/export/tfjs.js';
import { int32 } from '#src/graph/session.js';
import { loadGraphModel } from '#src/tensorflow/graph-model.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { examples } from './families.js';
import { largestDifference, referenceBatch, referenceNetwork, referenceProbabilities } from './reference-network.js';

const runtime = await openRuntime('cpu');

/** Ops that every TensorFlow 2 has. */
const savedModelOps: ReadonlySet<string> = new Set([
  ...['Placeholder', 'Const', 'Identity', 'Cast', 'Reshape', 'Transpose', 'PadV2', 'ConcatV2', 'Split', 'Conv2D'],
  ...['DepthwiseConv2dNative', 'MatMul', 'BiasAdd', 'FusedBatchNormV3', 'MaxPool', 'AvgPool', 'Mean', 'AddV2', 'Sub'],
  ...['Mul', 'Rsqrt', 'Square', 'Exp', 'Relu', 'Relu6', 'Sigmoid', 'Erf', 'Softmax', 'LogSoftmax'],
]);

/** What TensorFlow.js's executor knows and its CPU, WebGL, WASM and WebGPU backends have kernels for. */
const tfjsOps: ReadonlySet<string> = new Set([
  ...['Placeholder', 'Const', 'Identity', 'Cast', 'Reshape', 'Transpose', 'PadV2', 'ConcatV2', 'Split'],
  ...['Conv2D', '_FusedConv2D', 'DepthwiseConv2dNative', 'FusedDepthwiseConv2dNative', 'MatMul', '_FusedMatMul'],
  ...['BiasAdd', 'FusedBatchNormV3', 'MaxPool', 'AvgPool', 'Mean', 'AddV2', 'Sub', 'Mul', 'Rsqrt', 'Square', 'Exp'],
  ...['Relu', 'Relu6', 'Sigmoid', 'Erf', 'Softmax', 'LogSoftmax'],
]);

/** Of opset 17; ONNX Runtime has kernels for all of them. What they compute is tested with it (npm run test:export). */
const onnxOps: ReadonlySet<string> = new Set([
  ...['Identity', 'Cast', 'Reshape', 'Transpose', 'Pad', 'Concat', 'Split', 'Conv', 'Gemm', 'BatchNormalization'],
  ...['MaxPool', 'AveragePool', 'ReduceMean', 'Add', 'Sub', 'Mul', 'Sqrt', 'Reciprocal', 'Exp', 'Relu', 'Clip'],
  ...['Sigmoid', 'Erf', 'Softmax', 'LogSoftmax'],
]);

for (const { model, crop } of examples) {
  describe(model, () => {
    const network = referenceNetwork(model, { crop });

    test('is a SavedModel of standard ops', () => {
      const { pixels } = exportGraph(network, { input: 'bytes' });
      for (const { op } of pixels.graph.nodes) assert.ok(savedModelOps.has(op), op);
    });

    test('is an ONNX model of standard ops, each after what it needs', () => {
      checkOnnx(onnxModel(network), crop);
    });

    test('is a graph model of standard ops, which computes what training evaluates', async () => {
      const batch = referenceBatch(network);
      const expected = await referenceProbabilities(runtime, network, batch);
      const files = exportTfjs(network);
      const json = JSON.parse(Buffer.from(files.get('model.json') ?? []).toString('utf8'));
      for (const { op, attr } of json.modelTopology.node) {
        assert.ok(tfjsOps.has(op), op);
        assert.ok(!attr.transpose_b?.b, 'WASM computes something else from a matrix that is read transposed');
      }
      const loaded = await loadGraphModel(files);
      const found = await loaded.predict(int32(batch.bytes, batch.shape));
      loaded.dispose();
      assert.deepEqual(found.shape, [2, 5]);
      assert.ok(largestDifference(found.data, expected.data) < 1e-5);
    });
  });
}

function checkOnnx({ nodes, constants, inputs, outputs }: OnnxModel, crop: number): void {
  const known = new Set([...inputs, ...constants].map(({ name }) => name));
  for (const node of nodes) {
    assert.ok(onnxOps.has(node.op), node.op);
    for (const input of node.inputs) assert.ok(known.has(input), `${node.name} needs ${input}`);
    for (const output of node.outputs) {
      assert.ok(!known.has(output), `two tensors are called ${output}`);
      known.add(output);
    }
  }
  assert.deepEqual(inputs, [{ name: 'pixels', type: 'uint8', shape: ['N', crop, crop, 3] }]);
  assert.deepEqual(outputs, [{ name: 'probabilities', type: 'float32', shape: ['N', 5] }]);
}
