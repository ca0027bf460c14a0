// What a batch norm made is in the way of the backward pass nowhere: it is free once the forward pass is beyond it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gradients } from '#src/graph/autodiff.js';
import { Graph, type Node, type Tensor } from '#src/graph/graph.js';
import { cast, pad, reshape } from '#src/graph/ops/array.js';
import { conv2d } from '#src/graph/ops/conv.js';
import { fusedDepthwiseConv2d } from '#src/graph/ops/fused-depthwise.js';
import { fusedGroupedConv2d } from '#src/graph/ops/fused-grouped.js';
import { fusedBatchNorm, scaleChannels } from '#src/graph/ops/fused-norm.js';
import { gelu } from '#src/graph/ops/gelu.js';
import { layerNorm } from '#src/graph/ops/layer-norm.js';
import { matMul, sum } from '#src/graph/ops/math.js';
import { ops } from '#src/graph/ops/registry.js';
import { placeholder } from '#src/graph/ops/source.js';
import { winogradConv2d } from '#src/graph/ops/winograd.js';
import { nodesBefore } from '#src/graph/substitute.js';
import type { FloatType } from '#src/graph/types.js';

const channels = 32;
const all = new Set(ops.keys());

/** The nodes of the backward pass that read what a batch norm, or the padding behind it, made; `use` goes on from that. */
function holders(
  use: (y: Tensor, graph: Graph) => Tensor,
  { adds = false, dtype = 'float32' as FloatType, activation = 'relu' as 'relu' | 'silu', kernels = all } = {},
): { backward: Node[]; held: string[] } {
  const graph = new Graph({ kernels });
  const x = placeholder(graph, 'x', dtype, [null, 8, 8, channels]);
  const vector = placeholder(graph, 'vector', 'float32', [channels]);
  const { y } = fusedBatchNorm(
    { x, scale: vector, offset: vector, runningMean: vector, runningVariance: vector, ...(adds && { side: x }) },
    { epsilon: 1e-5, momentum: 0.1, activation, pool: false },
  );
  const loss = sum(cast(use(y, graph), 'float32'));
  const forward = nodesBefore([loss]);
  const variables = [...forward].flatMap(({ op, outputs }) => (op === 'Placeholder' ? outputs : []));
  const backward = [...nodesBefore(gradients(loss, variables))].filter((node) => !forward.has(node));
  const made = new Set(['DeepCnnBatchNorm', 'PadV2']);
  const isMade = ({ node, index, shape }: Tensor) =>
    made.has(node.op) && index === 0 && forward.has(node) && shape.length === 4;
  // A shape is asked for while y is there.
  const held = backward.filter(({ op, inputs }) => op !== 'Shape' && inputs.some(isMade)).map(({ op }) => op);
  return { backward, held };
}

const filter = (graph: Graph, shape: readonly number[]) => placeholder(graph, 'filter', 'float32', shape);

test('a convolution of many products takes its input made once more', () => {
  const { backward, held } = holders((y, graph) => conv2d(y, filter(graph, [3, 3, channels, 32]), { padding: 'SAME' }));
  assert.deepEqual(held, []);
  const normalise = backward.find(({ op }) => op === 'DeepCnnNormalise');
  // Not before the gradient is there, or it would lie beside what was not kept.
  assert.deepEqual(normalise?.controls.length, 1);
  assert.ok(normalise?.controls.every((node) => backward.includes(node)));
});

test('a padded input is made and padded once more', () => {
  const padding = [
    [0, 0],
    [1, 1],
    [1, 1],
    [0, 0],
  ] as const;
  const use = (y: Tensor, graph: Graph) => conv2d(pad(y, padding), filter(graph, [3, 3, channels, 128]), { stride: 2 });
  assert.deepEqual(holders(use).held, []);
});

test('a convolution with fewer multiplications does so, too', () => {
  const { backward, held } = holders((y, graph) => winogradConv2d(y, filter(graph, [3, 3, channels, 32])));
  assert.deepEqual(held, []);
  assert.ok(backward.some(({ op }) => op === 'DeepCnnWinogradFilterGrad'));
});

test('depthwise and grouped convolutions and scalings take the input of the batch norm before them', () => {
  const convolve = (y: Tensor, graph: Graph) =>
    fusedDepthwiseConv2d(y, filter(graph, [3, 3, channels, 1]), { stride: 1, padding: [1, 1, 1, 1] });
  assert.deepEqual(holders(convolve).held, []);
  const grouped = (y: Tensor, graph: Graph) =>
    fusedGroupedConv2d(y, filter(graph, [3, 3, 8, channels]), { stride: 2, padding: [1, 1, 1, 1] });
  const { backward, held } = holders(grouped);
  assert.deepEqual(held, []);
  assert.ok(backward.every(({ op }) => op !== 'DeepCnnNormalise'));
  const scale = (y: Tensor, graph: Graph) =>
    scaleChannels(y, placeholder(graph, 'by', 'float32', [null, 1, 1, channels]));
  assert.deepEqual(holders(scale).held, []);
});

test('a convolution of few products keeps its input, and so does a batch norm with a sum', () => {
  const kernels = new Set([...all].filter((op) => op !== 'DeepCnnFloatFilterGrad'));
  const few = (y: Tensor, graph: Graph) => conv2d(y, filter(graph, [1, 1, channels, 64]));
  assert.deepEqual(holders(few, { kernels }).held, ['Conv2DBackpropFilter']);
  const many = (y: Tensor, graph: Graph) => conv2d(y, filter(graph, [1, 1, channels, 512]));
  assert.deepEqual(holders(many, { kernels }).held, []);
  const held = holders(many, { kernels, adds: true }).held.toSorted();
  assert.deepEqual(held, ['Conv2DBackpropFilter', 'DeepCnnBatchNormGrad']);
});

test('our gradient of a filter of one pixel takes the input of the batch norm before it', () => {
  const { backward, held } = holders((y, graph) => conv2d(y, filter(graph, [1, 1, channels, 64])));
  assert.deepEqual(held, []);
  const ours = backward.find(({ op }) => op === 'DeepCnnFloatFilterGrad');
  // x, dy, scale, offset, mean and 1 / deviation
  assert.equal(ours?.inputs.length, 6);
  assert.ok(backward.every(({ op }) => op !== 'DeepCnnNormalise'));
});

test('a SiLU of bfloat16 is kept, as no other is', () => {
  const convolve = (y: Tensor, graph: Graph) =>
    fusedDepthwiseConv2d(y, filter(graph, [3, 3, channels, 1]), { stride: 1, padding: [1, 1, 1, 1] });
  const heldOf = (dtype: FloatType, activation: 'relu' | 'silu') => holders(convolve, { dtype, activation }).held;
  assert.deepEqual(heldOf('bfloat16', 'silu'), ['DeepCnnDepthwiseGrad']);
  assert.deepEqual(heldOf('bfloat16', 'relu'), []);
  assert.deepEqual(heldOf('float32', 'silu'), []);
});

test('products of matrices have layer norms and GELUs made once more, but no GELU of bfloat16', () => {
  const readBackward = (dtype: FloatType, make: (x: Tensor, vector: Tensor) => Tensor): boolean => {
    const graph = new Graph({ kernels: new Set(ops.keys()) });
    const x = placeholder(graph, 'x', dtype, [null, 8, 8, channels]);
    const weights = placeholder(graph, 'weights', dtype, [64, channels]);
    const made = make(x, placeholder(graph, 'vector', 'float32', [channels]));
    const product = matMul(reshape(made, [null, channels]), weights, { transposeB: true });
    const loss = sum(cast(product, 'float32'));
    const forward = nodesBefore([loss]);
    const backward = [...nodesBefore(gradients(loss, [weights]))].filter((node) => !forward.has(node));
    const again = backward.filter(({ op }) => op === made.node.op);
    assert.ok(again.every(({ controls }) => controls.length === 1));
    const isHeld = backward.some(({ inputs }) => inputs.some(({ node }) => node.op === 'Reshape' && forward.has(node)));
    assert.equal(again.length, isHeld ? 0 : 1);
    return isHeld;
  };
  for (const dtype of ['float32', 'bfloat16'] as const) {
    const ofNorm = (x: Tensor, vector: Tensor) => layerNorm({ x, scale: vector, offset: vector }, { epsilon: 1e-6 });
    assert.equal(readBackward(dtype, ofNorm), false);
    assert.equal(readBackward(dtype, gelu), dtype === 'bfloat16');
  }
});
