// What a device has no kernels of 16 bits for is computed in float32, and its inputs are not kept twice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defined } from '#src/defined.js';
import { gradients } from '#src/graph/autodiff.js';
import { Graph, type Node, type Tensor } from '#src/graph/graph.js';
import { cast } from '#src/graph/ops/array.js';
import { conv2d } from '#src/graph/ops/conv.js';
import { depthwiseConv2d } from '#src/graph/ops/depthwise.js';
import { fusedGroupedConv2d } from '#src/graph/ops/fused-grouped.js';
import { fusedBatchNorm } from '#src/graph/ops/fused-norm.js';
import { matMul, sum } from '#src/graph/ops/math.js';
import { ops } from '#src/graph/ops/registry.js';
import { placeholder } from '#src/graph/ops/source.js';
import { nodesBefore } from '#src/graph/substitute.js';
import type { DType, FloatType } from '#src/graph/types.js';

const channels = 8;
const products = [
  'Conv2D',
  'Conv2DBackpropInput',
  'Conv2DBackpropFilter',
  'DepthwiseConv2dNative',
  'DepthwiseConv2dNativeBackpropInput',
  'DepthwiseConv2dNativeBackpropFilter',
  'MatMul',
];

type Use = (graph: Graph, dtype: FloatType) => { made: Tensor; variables: readonly Tensor[] };

const uses: Readonly<Record<string, Use>> = {
  'a grouped convolution': (graph, dtype) => {
    const x = placeholder(graph, 'x', dtype, [null, 6, 6, channels]);
    const filter = placeholder(graph, 'filter', dtype, [3, 3, channels / 2, channels]);
    return { made: conv2d(x, filter), variables: [x, filter] };
  },
  'a depthwise convolution': (graph, dtype) => {
    const x = placeholder(graph, 'x', dtype, [null, 6, 6, channels]);
    const filter = placeholder(graph, 'filter', dtype, [3, 3, channels, 1]);
    return { made: depthwiseConv2d(x, filter), variables: [x, filter] };
  },
  'a product': (graph, dtype) => {
    const [a, b] = [placeholder(graph, 'a', dtype, [null, 5]), placeholder(graph, 'b', dtype, [7, 5])];
    return { made: matMul(a, b, { transposeB: true }), variables: [a, b] };
  },
};

/** The types in which a use and its gradients multiply, and whether the types of what goes in come out. */
function typesOf(use: Use, dtype: FloatType, widens: readonly DType[]) {
  const graph = new Graph({ widens: new Set(widens) });
  const { made, variables } = use(graph, dtype);
  const wanted = gradients(sum(cast(made, 'float32')), variables);
  const nodes = [...nodesBefore(wanted)];
  const multiplied = nodes.filter(({ op }) => products.includes(op)).flatMap(({ outputs }) => outputs);
  assert.ok(multiplied.length >= 3);
  assert.equal(made.dtype, dtype);
  assert.deepEqual(
    wanted.map((gradient) => gradient?.dtype),
    [dtype, dtype],
  );
  return { nodes, types: new Set(multiplied.map((tensor) => tensor.dtype)) };
}

for (const [name, use] of Object.entries(uses)) {
  test(`${name} of 16 bits is computed in float32 where that is wanted`, () => {
    assert.deepEqual([...typesOf(use, 'bfloat16', ['bfloat16', 'float16']).types], ['float32']);
    assert.deepEqual([...typesOf(use, 'float16', ['float16']).types], ['float32']);
    assert.deepEqual([...typesOf(use, 'bfloat16', ['float16']).types], ['bfloat16']);
    const { nodes, types } = typesOf(use, 'float32', ['bfloat16', 'float16']);
    assert.deepEqual([...types], ['float32']);
    assert.ok(nodes.every(({ op }) => op !== 'Cast'));
  });
}

const filterGradients = new Set(['Conv2DBackpropFilter', 'DeepCnnFloatFilterGrad', 'DeepCnnGroupedGrad']);

const point = (graph: Graph, x: Tensor) =>
  conv2d(x, placeholder(graph, 'filter', 'bfloat16', [1, 1, channels, channels]));

const grouped = (graph: Graph, x: Tensor) => {
  const filter = placeholder(graph, 'filter', 'float32', [3, 3, channels / 2, channels]);
  return fusedGroupedConv2d(x, filter, { stride: 1, padding: [1, 1, 1, 1] });
};

/** What the gradient of a filter convolves. */
function convolved(graph: Graph, x: Tensor, convolve = point): { image: Node | undefined; loss: Tensor } {
  const y = convolve(graph, x);
  const filter = defined(y.node.inputs[1] ?? y.node.inputs[0]?.node.inputs[1], 'no filter');
  const loss = sum(cast(y, 'float32'));
  const nodes = [...nodesBefore(gradients(loss, [filter]))];
  return { image: nodes.find(({ op }) => filterGradients.has(op))?.inputs[0]?.node, loss };
}

for (const [name, convolve] of Object.entries({ point, grouped })) {
  test(`the copy in float32 is made once more for the backward pass: ${name}`, () => {
    const graph = new Graph({ widens: new Set<DType>(['bfloat16']) });
    const x = placeholder(graph, 'x', 'bfloat16', [null, 6, 6, channels]);
    const { image, loss } = convolved(graph, x, convolve);
    assert.equal(image?.op, 'Cast');
    assert.ok(!nodesBefore([loss]).has(image));
    // Not before the gradient is there, or both copies would be.
    assert.equal(image.controls.length, 1);
  });
}

test('so is a batch norm behind that copy', () => {
  const graph = new Graph({ kernels: new Set(ops.keys()), widens: new Set<DType>(['bfloat16']) });
  const x = placeholder(graph, 'x', 'bfloat16', [null, 6, 6, channels]);
  const vector = placeholder(graph, 'vector', 'float32', [channels]);
  const { y } = fusedBatchNorm(
    { x, scale: vector, offset: vector, runningMean: vector, runningVariance: vector },
    { epsilon: 1e-5, momentum: 0.1, activation: 'relu', pool: false },
  );
  const { image } = convolved(graph, y);
  assert.equal(image?.op, 'Cast');
  assert.equal(image.inputs[0]?.node.op, 'DeepCnnNormalise');
});
