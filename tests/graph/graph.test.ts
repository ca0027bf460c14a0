import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Graph } from '#src/graph/graph.js';
import { relu } from '#src/graph/ops/activation.js';
import { reshape } from '#src/graph/ops/array.js';
import { conv2d } from '#src/graph/ops/conv.js';
import { crossEntropy } from '#src/graph/ops/loss.js';
import { add, matMul } from '#src/graph/ops/math.js';
import { maxPool } from '#src/graph/ops/pool.js';
import { floatConstant, identity, placeholder } from '#src/graph/ops/source.js';

const scalar = (graph: Graph, name?: string) => identity(floatConstant(graph, 1), name);

test('names are made unique, whatever they collide with', () => {
  const graph = new Graph();
  const names = ['a', 'a', 'a_1', 'a', 'a_1', 'a_2', 'a'].map((name) => scalar(graph, name).node.name);
  assert.equal(names[0], 'a');
  assert.equal(new Set(names).size, names.length, names.join(' '));
  assert.equal(new Set(graph.nodes.map(({ name }) => name)).size, graph.nodes.length);
});

test('scopes nest, end, and make names unique of their own', () => {
  const graph = new Graph();
  const inner = graph.scope('train', () => graph.scope('conv1', () => scalar(graph, 'y')));
  assert.equal(inner.name, 'train/conv1/y:0');
  assert.equal(graph.scope('eval', () => scalar(graph, 'y')).name, 'eval/y:0');
  assert.equal(scalar(graph, 'y').name, 'y:0');
  assert.throws(() =>
    graph.scope('broken', () => {
      throw new Error('within');
    }),
  );
  assert.equal(scalar(graph, 'z').name, 'z:0');
});

test('a scope and a node of the same name do not collide with a name that spells both', () => {
  const graph = new Graph();
  const names = [
    scalar(graph, 'a/b').name,
    graph.scope('a', () => scalar(graph, 'b').name),
    graph.scope('a', () => scalar(graph, 'b').name),
  ];
  assert.equal(new Set(names).size, 3, names.join(' '));
});

test('characters that TensorFlow refuses are replaced', () => {
  assert.equal(scalar(new Graph(), 'layer1.0 (new)').node.name, 'layer1.0__new_');
});

test('controls apply within their block, add up when nested, and end with it', () => {
  const graph = new Graph();
  const [first, second] = [scalar(graph).node, scalar(graph).node];
  const inner = graph.after([first], () => graph.after([second], () => scalar(graph).node));
  assert.deepEqual(inner.controls, [first, second]);
  assert.deepEqual(graph.after([first], () => scalar(graph).node).controls, [first]);
  assert.deepEqual(scalar(graph).node.controls, []);
});

test('a tensor of another graph is refused and named', () => {
  const [one, other] = [new Graph(), new Graph()];
  const [x, y] = [placeholder(one, 'x', 'float32', [2]), placeholder(other, 'y', 'float32', [2])];
  assert.throws(() => add(x, y), {
    message: 'internal: AddV2 got Placeholder y:0 float32[2], which is of another graph',
  });
});

test('a tensor says its op, name, type and shape', () => {
  const x = placeholder(new Graph(), 'images', 'float32', [null, 4]);
  assert.equal(String(relu(x)), 'Relu Relu:0 float32[?, 4]');
});

test('inputs that do not fit are refused when the graph is built', () => {
  const graph = new Graph();
  const tensor = (shape: readonly (number | null)[], dtype: 'float32' | 'int32' = 'float32') =>
    placeholder(graph, 'x', dtype, shape);
  const refused: readonly (readonly [() => unknown, RegExp])[] = [
    [() => add(tensor([2]), tensor([2], 'int32')), /AddV2 needs two tensors of a type/],
    [() => add(tensor([2]), tensor([3])), /\[2\] and \[3\] do not broadcast/],
    [() => matMul(tensor([2, 3]), tensor([2, 3])), /MatMul's inner sizes differ/],
    [() => matMul(tensor([2, 3, 4]), tensor([2, 3])), /MatMul needs matrices/],
    [() => conv2d(tensor([1, 4, 4, 3]), tensor([3, 3, 2, 4])), /channels do not fit/],
    // Two groups can't make three channels.
    [() => conv2d(tensor([1, 4, 4, 4]), tensor([3, 3, 2, 3])), /channels do not fit/],
    [() => conv2d(tensor([1, 2, 2, 1]), tensor([3, 3, 1, 1])), /a kernel of 3 does not fit into a length of 2/],
    [() => maxPool(tensor([4, 4, 1]), { kernel: 2, stride: 2, padding: 'VALID' }), /a pool needs images/],
    [() => crossEntropy(tensor([2, 3]), tensor([2, 1], 'int32')), /cross-entropy needs logits and labels/],
    [() => reshape(tensor([4]), [null, null]), /more than one unknown dimension/],
  ];
  for (const [build, message] of refused) assert.throws(build, message);
});
