// Runs our kernels once, in both types, and prints a hash of each result: started by kernels.test.ts with other threads.

import { createHash } from 'node:crypto';
import { gradients } from '#src/graph/autodiff.js';
import { Graph, type Tensor } from '#src/graph/graph.js';
import { cast } from '#src/graph/ops/array.js';
import { filterGrad } from '#src/graph/ops/filter-grad.js';
import { fusedDepthwiseConv2d } from '#src/graph/ops/fused-depthwise.js';
import { fusedGroupedConv2d } from '#src/graph/ops/fused-grouped.js';
import { fusedBatchNorm, scaleChannels } from '#src/graph/ops/fused-norm.js';
import { gelu } from '#src/graph/ops/gelu.js';
import { layerNorm } from '#src/graph/ops/layer-norm.js';
import { add, mul, sum } from '#src/graph/ops/math.js';
import { placeholder } from '#src/graph/ops/source.js';
import { winogradConv2d } from '#src/graph/ops/winograd.js';
import { float32, openSession } from '#src/graph/session.js';
import { openRuntime } from '#src/tensorflow/runtime.js';

const runtime = await openRuntime('cpu');
const graph = new Graph({ kernels: runtime.kernels });
const channels = 48;
const shape = [6, 23, 29, channels];
const filterShape = [5, 5, channels, 1];
const squareShape = [3, 3, channels, channels];
const groupsShape = [3, 3, 8, channels];
const x = placeholder(graph, 'x', 'float32', shape);
const filter = placeholder(graph, 'filter', 'float32', filterShape);
const square = placeholder(graph, 'square', 'float32', squareShape);
const groups = placeholder(graph, 'groups', 'float32', groupsShape);
const vector = placeholder(graph, 'vector', 'float32', [channels]);
const dy = placeholder(graph, 'dy', 'float32', shape);

const outputs: Record<string, Tensor> = {};
for (const dtype of ['float32', 'bfloat16'] as const) {
  const filtered = fusedDepthwiseConv2d(cast(x, dtype), filter, { stride: 1, padding: [2, 2, 2, 2] });
  const normalised = fusedBatchNorm(
    { x: filtered, scale: vector, offset: vector, runningMean: vector, runningVariance: vector },
    { epsilon: 1e-3, momentum: 0.1, activation: 'silu', pool: true },
  );
  const scaled = scaleChannels(normalised.y, cast(normalised.pooled, dtype));
  const layer = gelu(layerNorm({ x: scaled, scale: vector, offset: vector }, { epsilon: 1e-3 }));
  const y = cast(add(layer, winogradConv2d(scaled, square)), 'float32');
  const found = gradients(sum(mul(y, dy)), [x, filter, square, vector]);
  for (const [index, tensor] of [y, normalised.runningVariance, ...found].entries()) {
    outputs[`${dtype}_${index}`] = tensor;
  }
}
for (const [op, dtype] of [
  ['DeepCnnFilterGrad', 'bfloat16'],
  ['DeepCnnFloatFilterGrad', 'float32'],
] as const) {
  if (!runtime.kernels.has(op)) continue;
  outputs[`filter_gradient_${dtype}`] = filterGrad(cast(x, dtype), cast(dy, dtype), { stride: 1, like: square });
}
if (runtime.kernels.has('DeepCnnGrouped')) {
  const y = fusedGroupedConv2d(x, groups, { stride: 1, padding: [1, 1, 1, 1] });
  for (const [index, tensor] of [y, ...gradients(sum(mul(y, dy)), [x, groups])].entries()) {
    outputs[`grouped_${index}`] = tensor;
  }
}
const inputs = { x, filter, square, groups, vector, dy };
const session = await openSession(runtime, graph, { all: { inputs, outputs } });
const waves = (length: number, step: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * step) + Math.cos(i * i * 0.01));
const size = shape.reduce((product, length) => product * length);
const found = session.run('all', {
  x: float32(waves(size, 0.37), shape),
  filter: float32(waves(25 * channels, 0.7), filterShape),
  square: float32(waves(9 * channels * channels, 0.3), squareShape),
  groups: float32(waves(9 * 8 * channels, 0.9), groupsShape),
  vector: float32(waves(channels, 1.3).map(Math.abs), [channels]),
  dy: float32(waves(size, 0.11), shape),
});
const hashes = Object.entries(found)
  .sort(([a], [b]) => a.localeCompare(b))
  .map(([, { data }]) => createHash('sha256').update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)));
console.log(hashes.map((hash) => hash.digest('hex').slice(0, 8)).join(' '));
