import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import protobuf from 'protobufjs';
import { exportOnnx, onnxModel } from '#src/export/onnx/onnx.js';
import { referenceNetwork } from './reference-network.js';

describe('an ONNX model', () => {
  const network = referenceNetwork('squeezenet1_1', { crop: 32 });

  test('takes padding into the windows that follow, and turns axes only where they enter', () => {
    const { nodes } = onnxModel(referenceNetwork('resnet18'));
    const count = (op: string) => nodes.filter((node) => node.op === op).length;
    assert.equal(count('Pad'), 0);
    assert.equal(count('Transpose'), 1);
    assert.equal(count('BatchNormalization'), 0);
    const conv = nodes.find((node) => node.op === 'Conv');
    assert.deepEqual(conv?.attributes['pads'], { ints: [3, 3, 2, 2] });
  });

  test('takes normalised images as PyTorch lays them, without turning anything', () => {
    const { nodes, inputs } = onnxModel(network, { input: 'floats' });
    assert.deepEqual(inputs, [{ name: 'pixels', type: 'float32', shape: ['N', 3, 32, 32] }]);
    assert.ok(nodes.every(({ op }) => op !== 'Transpose' && op !== 'Cast'));
  });

  test('stores filters in half the bytes', () => {
    const [whole, half] = [exportOnnx(network), exportOnnx(network, { quantize: 'float16' })];
    assert.ok(half.length < 0.52 * whole.length);
  });

  test('says in its file what it is', () => {
    const entry = new protobuf.Type('Entry')
      .add(new protobuf.Field('key', 1, 'string'))
      .add(new protobuf.Field('value', 2, 'string'));
    const version = new protobuf.Type('Opset').add(new protobuf.Field('version', 2, 'int32'));
    const model = new protobuf.Type('Model')
      .add(new protobuf.Field('ir', 1, 'int32'))
      .add(new protobuf.Field('opset', 8, 'Opset', 'repeated'))
      .add(new protobuf.Field('metadata', 14, 'Entry', 'repeated'));
    new protobuf.Root().add(model).add(entry).add(version);
    const { ir, opset, metadata } = model.toObject(model.decode(exportOnnx(network)));
    assert.equal(ir, 8);
    assert.deepEqual(opset, [{ version: 17 }]);
    const found = new Map(metadata.map(({ key, value }: Record<'key' | 'value', string>) => [key, value]));
    assert.equal(found.get('model'), 'squeezenet1_1');
    assert.deepEqual(JSON.parse(String(found.get('classes'))), network.classes);
    assert.deepEqual(JSON.parse(String(found.get('preprocessing'))), network.preprocessing);
  });
});
