import { gradients } from '#src/graph/autodiff.js';
import type { Tensor } from '#src/graph/graph.js';
import { cast } from '#src/graph/ops/array.js';
import { fusedLayerNorm, layerNorm } from '#src/graph/ops/layer-norm.js';
import { mul, sum } from '#src/graph/ops/math.js';
import { forwardCase, gradientCase } from '../op-case.js';
import { floats, noisy } from '../samples.js';
import { differences, expectZeros } from './differences.js';

const epsilon = 1e-3;

const rows = noisy(3, [3, 2, 4], { dynamic: true });
const rowScale = floats([4], [1.5, -0.7, 1, 0.3]);
const rowOffset = floats([4], [0.2, 3, 0, -1]);

/** Each row of the last axis normalised, by the biased variance. */
function naiveLayerNorm(): number[] {
  return Array.from(rows.data, (value, i) => {
    const row = [...rows.data.slice(i - (i % 4), i - (i % 4) + 4)];
    const mean = row.reduce((total, each) => total + each, 0) / 4;
    const variance = row.reduce((total, each) => total + (each - mean) ** 2, 0) / 4;
    return (
      ((value - mean) / Math.sqrt(variance + epsilon)) * (rowScale.data[i % 4] ?? 0) + (rowOffset.data[i % 4] ?? 0)
    );
  });
}

/** 2 x 75 rows: more than the kernels have blocks for. `channels` fill vectors of all lengths, or leave some numbers over. */
const many = (channels: number) =>
  [
    noisy(4, [2, 5, 15, channels], { dynamic: true }),
    floats([channels], (c) => (c - 11) / 3),
    floats([channels], (c) => ((c * 7) % 5) - 1),
    noisy(5, [2, 5, 15, channels], { dynamic: true }),
  ] as const;

type Inputs = Parameters<typeof layerNorm>[0];
type Normalise = typeof layerNorm;

const all = (normalise: Normalise, { x, scale, offset }: Inputs, dy: Tensor) => {
  const y = normalise({ x, scale, offset }, { epsilon });
  return [y, ...gradients(sum(cast(mul(y, dy), 'float32')), [x, scale, offset])];
};

const fromTensorflow = (inputs: Inputs, dy: Tensor) =>
  differences(all(fusedLayerNorm, inputs, dy), all(layerNorm, inputs, dy));

export const forward = [
  ...[layerNorm, fusedLayerNorm].map((normalise) =>
    forwardCase({
      op: normalise === layerNorm ? 'Rsqrt' : 'DeepCnnLayerNorm',
      name: 'in layer norm',
      inputs: [rows, rowScale, rowOffset],
      build: ([x, scale, offset]) => normalise({ x, scale, offset }, { epsilon }),
      expected: naiveLayerNorm(),
    }),
  ),
  ...[16, 24, 45].map((channels) =>
    forwardCase({
      op: 'DeepCnnLayerNormGrad',
      name: `${channels} channels as TensorFlow's`,
      inputs: many(channels),
      build: ([x, scale, offset, dy]) => fromTensorflow({ x, scale, offset }, dy),
      expected: expectZeros(1e-4),
    }),
  ),
  forwardCase({
    op: 'DeepCnnLayerNormGrad',
    name: "in bfloat16 as TensorFlow's",
    inputs: many(24),
    build: ([x, scale, offset, dy]) => fromTensorflow({ x: cast(x, 'bfloat16'), scale, offset }, cast(dy, 'bfloat16')),
    expected: expectZeros(0.2),
  }),
  forwardCase({
    op: 'DeepCnnLayerNorm',
    name: 'of numbers far from zero',
    inputs: [floats([1, 4], [4001, 4003, 4005, 4007]), floats([4], [1, 1, 1, 1]), floats([4], [0, 0, 0, 0])],
    build: ([x, scale, offset]) => fusedLayerNorm({ x, scale, offset }, { epsilon: 0 }),
    expected: [-3, -1, 1, 3].map((x) => x / Math.sqrt(5)),
  }),
];

export const backward = [layerNorm, fusedLayerNorm].map((normalise) =>
  gradientCase({
    op: normalise === layerNorm ? 'Rsqrt' : 'DeepCnnLayerNorm',
    name: 'in layer norm',
    inputs: [rows, rowScale, rowOffset],
    build: ([x, scale, offset]) => normalise({ x, scale, offset }, { epsilon: 0.1 }),
  }),
);
