// What is written, read back with the protobuf classes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gradients } from '#src/graph/autodiff.js';
import { Graph } from '#src/graph/graph.js';
import { cast } from '#src/graph/ops/array.js';
import { conv2d } from '#src/graph/ops/conv.js';
import { crossEntropy } from '#src/graph/ops/loss.js';
import { mul, sum } from '#src/graph/ops/math.js';
import { floatConstant, identity, intConstant, placeholder } from '#src/graph/ops/source.js';
import { encodeSavedModel, type Signature } from '#src/graph/saved-model.js';
import { messages } from '#src/tensorflow/protobuf.js';

interface DecodedAttribute {
  s: string;
  i: number;
  f: number;
  b: boolean;
  type: number;
  shape?: DecodedShape;
  tensor?: { dtype: number; tensorShape: DecodedShape; tensorContent: string };
  list?: { iList: number[] };
}

interface DecodedShape {
  dimList: { size: number }[];
}

interface DecodedTensorInfo {
  name: string;
  dtype: number;
  tensorShape: DecodedShape;
}

interface Decoded {
  savedModelSchemaVersion: number;
  metaGraphsList: {
    metaInfoDef: { tagsList: string[] };
    graphDef: {
      nodeList: { name: string; op: string; inputList: string[]; attrMap: [string, DecodedAttribute][] }[];
      versions: { producer: number; minConsumer: number };
    };
    signatureDefMap: [
      string,
      { methodName: string; inputsMap: [string, DecodedTensorInfo][]; outputsMap: [string, DecodedTensorInfo][] },
    ][];
  }[];
}

function decode(graph: Graph, signatures: Record<string, Signature> = {}) {
  const reader = messages.SavedModel as unknown as { deserializeBinary(bytes: Uint8Array): { toObject(): Decoded } };
  const decoded = reader.deserializeBinary(encodeSavedModel(graph, signatures)).toObject();
  const [metaGraph] = decoded.metaGraphsList;
  assert.ok(metaGraph);
  assert.equal(decoded.metaGraphsList.length, 1);
  const nodes = metaGraph.graphDef.nodeList;
  const node = (name: string) => {
    const found = nodes.find((candidate) => candidate.name === name);
    assert.ok(found, `no node ${name}`);
    return { ...found, attributes: new Map(found.attrMap) };
  };
  return { decoded, metaGraph, nodes, node };
}

const sizes = (shape: DecodedShape | undefined) => shape?.dimList.map(({ size }) => size);
const text = (base64: string | undefined) => Buffer.from(base64 ?? '', 'base64').toString();

test('one serving graph of a version that TensorFlow 2 reads', () => {
  const graph = new Graph();
  placeholder(graph, 'x', 'float32', []);
  const { decoded, metaGraph } = decode(graph);
  assert.equal(decoded.savedModelSchemaVersion, 1);
  assert.deepEqual(metaGraph.metaInfoDef.tagsList, ['serve']);
  assert.ok(metaGraph.graphDef.versions.producer >= 1882);
  assert.equal(metaGraph.graphDef.versions.minConsumer, 0);
});

test('nodes keep their order, inputs and controls, each control once', () => {
  const graph = new Graph();
  const x = placeholder(graph, 'x', 'float32', [null, 3]);
  const labels = placeholder(graph, 'labels', 'int32', [null]);
  const loss = crossEntropy(x, labels);
  gradients(sum(loss), [x]);
  const last = graph.after([x.node, labels.node, x.node], () => identity(x, 'last'));
  const { nodes, node } = decode(graph);
  assert.deepEqual(
    nodes.map(({ name, op }) => [name, op]),
    graph.nodes.map(({ name, op }) => [name, op]),
  );
  assert.deepEqual(node(last.node.name).inputList, ['x', '^x', '^labels']);
  // A first output goes by the node's name alone, a second with its number.
  assert.deepEqual(node(loss.node.name).inputList, ['x', 'labels']);
  const factor = nodes.find(({ inputList }) => inputList.includes(`${loss.node.name}:1`));
  assert.equal(factor?.op, 'Mul');
});

test('each kind of attribute arrives', () => {
  const graph = new Graph();
  const x = placeholder(graph, 'x', 'float32', [null, 4, 4, 2]);
  const filter = floatConstant(graph, [0.5, -1, 2, 1e-3], [1, 1, 2, 2]);
  const y = conv2d(x, filter, { stride: 2, padding: 'SAME' });
  const z = cast(y, 'bfloat16');
  const numbers = intConstant(graph, [7, -1]);
  const extra = graph.add({
    op: 'Anything',
    attributes: { rate: { float: 0.25 }, count: { int: -3 } },
    outputs: [],
    backward: () => 'final',
  });
  const { node } = decode(graph);

  assert.deepEqual(sizes(node('x').attributes.get('shape')?.shape), [-1, 4, 4, 2]);
  assert.equal(node('x').attributes.get('dtype')?.type, 1);
  const conv = node(y.node.name).attributes;
  assert.deepEqual(conv.get('strides')?.list?.iList, [1, 2, 2, 1]);
  assert.equal(text(conv.get('padding')?.s), 'SAME');
  assert.equal(conv.get('use_cudnn_on_gpu')?.b, true);
  assert.equal(node(z.node.name).attributes.get('DstT')?.type, 14);
  assert.equal(node(extra.name).attributes.get('rate')?.f, 0.25);
  assert.equal(node(extra.name).attributes.get('count')?.i, -3);

  const value = node(filter.node.name).attributes.get('value')?.tensor;
  assert.deepEqual(sizes(value?.tensorShape), [1, 1, 2, 2]);
  assert.equal(value?.dtype, 1);
  const bytes = Buffer.from(value?.tensorContent ?? '', 'base64');
  const floats = Float32Array.of(0.5, -1, 2, 1e-3);
  assert.deepEqual(bytes, Buffer.from(floats.buffer));
  const integers = node(numbers.node.name).attributes.get('value')?.tensor;
  assert.equal(integers?.dtype, 3);
  assert.deepEqual(
    Buffer.from(integers?.tensorContent ?? '', 'base64'),
    Buffer.from([7, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
  );
});

test('signatures name their tensors, types and shapes', () => {
  const graph = new Graph();
  const x = placeholder(graph, 'x', 'int32', [null]);
  const y = graph.scope('inner', () => identity(x, 'y'));
  const { metaGraph } = decode(graph, {
    one: { inputs: { fed: x }, outputs: { made: y } },
    none: { inputs: {}, outputs: { made: y } },
  });
  const signatures = new Map(metaGraph.signatureDefMap);
  assert.deepEqual([...signatures.keys()].sort(), ['none', 'one']);
  const one = signatures.get('one');
  assert.equal(one?.methodName, 'tensorflow/serving/predict');
  const describe = (infos: [string, DecodedTensorInfo][] | undefined) =>
    infos?.map(([key, { name, dtype, tensorShape }]) => [key, name, dtype, sizes(tensorShape)]);
  assert.deepEqual(describe(one?.inputsMap), [['fed', 'x:0', 3, [-1]]]);
  assert.deepEqual(describe(one?.outputsMap), [['made', 'inner/y:0', 3, [-1]]]);
  assert.deepEqual(describe(signatures.get('none')?.inputsMap), []);
});

test('the same graph gives the same bytes', () => {
  const build = () => {
    const graph = new Graph();
    const x = placeholder(graph, 'x', 'float32', [null, 2]);
    return encodeSavedModel(graph, { run: { inputs: { x }, outputs: { y: mul(x, floatConstant(graph, 2)) } } });
  };
  assert.deepEqual(build(), build());
});
