import { gradients } from '#src/graph/autodiff.js';
import type { Tensor } from '#src/graph/graph.js';
import { type ActivationName, activate } from '#src/graph/ops/activation.js';
import { cast } from '#src/graph/ops/array.js';
import { fusedBatchNorm, scaleChannels } from '#src/graph/ops/fused-norm.js';
import { add, mean, mul, sum } from '#src/graph/ops/math.js';
import { batchNormTraining } from '#src/graph/ops/norm.js';
import { type ForwardCase, forwardCase, type GradientCase, gradientCase } from '../op-case.js';
import { floats, noisy } from '../samples.js';
import { differences, expectZeros } from './differences.js';
import { fourPixels } from './norm.js';

const options = { epsilon: 1e-3, momentum: 0.1 };
const activations: readonly (ActivationName | 'none')[] = ['none', 'relu', 'relu6', 'silu', 'hardSwish'];

/** 24 channels: two pixels fill three vectors; 3 x 5 x 7 pixels are no multiple of that. */
const shape = [3, 5, 7, 24] as const;
const channels = 24;
const x = noisy(1, shape, { dynamic: true });
const dy = noisy(2, shape, { dynamic: true });
const side = noisy(3, shape, { dynamic: true });
const weights = noisy(4, [shape[0], 1, 1, channels], { dynamic: true });
// Wide enough for both corners of relu6 and hard swish.
const scale = floats([channels], (c) => (c - 11) / 3);
const offset = floats([channels], (c) => ((c * 7) % 5) - 1);
const runningMean = floats([channels], (c) => c / 10, { fixed: true });
const runningVariance = floats([channels], (c) => 1 + c / 10, { fixed: true });
const parameters = [scale, offset, runningMean, runningVariance] as const;

interface Result {
  y: Tensor;
  runningMean: Tensor;
  runningVariance: Tensor;
}

type Inputs = Parameters<typeof fusedBatchNorm>[0];

/** TensorFlow's own ops for the same. */
function composed(inputs: Inputs, activation: ActivationName | 'none'): Result {
  const made = batchNormTraining(inputs, options);
  const z = inputs.side ? add(made.y, inputs.side) : made.y;
  return { ...made, y: activation === 'none' ? z : activate(activation, z) };
}

const fused = (inputs: Inputs, activation: ActivationName | 'none', pool = false) =>
  fusedBatchNorm(inputs, { ...options, activation, pool });

const allOf = ({ y, runningMean: m, runningVariance: v }: Result) => [y, m, v];

export const forward: ForwardCase[] = [
  forwardCase({
    op: 'DeepCnnBatchNorm',
    name: 'by hand',
    inputs: fourPixels,
    build: ([images, gamma, beta, m, v]) => {
      const made = fusedBatchNorm(
        { x: images, scale: gamma, offset: beta, runningMean: m, runningVariance: v },
        { epsilon: 4, momentum: 0.25, activation: 'relu', pool: true },
      );
      return [made.y, made.runningMean, made.runningVariance, made.pooled];
    },
    expected: [[0, 1 - 2 / 3, 1 + 2 / 3, 3], [1], [0.75 + 20 / 12], [5 / 4]],
  }),
  ...activations.flatMap((activation) => [
    forwardCase({
      op: 'DeepCnnBatchNorm',
      name: `${activation} as TensorFlow's`,
      inputs: [x, ...parameters],
      build: ([images, gamma, beta, m, v]) => {
        const inputs = { x: images, scale: gamma, offset: beta, runningMean: m, runningVariance: v };
        return differences(allOf(fused(inputs, activation)), allOf(composed(inputs, activation)));
      },
      expected: expectZeros(2e-5),
    }),
    forwardCase({
      op: 'DeepCnnBatchNormGrad',
      name: `${activation} as TensorFlow's`,
      inputs: [x, ...parameters, dy],
      build: ([images, gamma, beta, m, v, upstream]) => {
        const inputs = { x: images, scale: gamma, offset: beta, runningMean: m, runningVariance: v };
        const of = ({ y }: Result) => gradients(sum(mul(y, upstream)), [images, gamma, beta]);
        return differences(of(fused(inputs, activation)), of(composed(inputs, activation)));
      },
      expected: expectZeros(1e-4),
    }),
    forwardCase({
      op: 'DeepCnnBatchNormGrad',
      name: `${activation} in bfloat16`,
      inputs: [x, ...parameters, dy],
      build: ([images, gamma, beta, m, v, upstream]) => {
        const inputs = { x: images, scale: gamma, offset: beta, runningMean: m, runningVariance: v };
        const narrow = { ...inputs, x: cast(images, 'bfloat16') };
        // In float32 of the same rounded numbers.
        const rounded = { ...inputs, x: cast(narrow.x, 'float32') };
        const of = ({ y }: Result) => gradients(sum(mul(cast(y, 'float32'), upstream)), [gamma, beta]);
        return differences(
          [...of(fused(narrow, activation)), cast(fused(narrow, activation).y, 'float32')],
          [...of(composed(rounded, activation)), composed(rounded, activation).y],
        );
      },
      expected: expectZeros(0.15),
    }),
  ]),
  ...(['none', 'relu'] as const).map((activation) =>
    forwardCase({
      op: 'DeepCnnBatchNormGrad',
      name: `a sum and ${activation} as TensorFlow's`,
      inputs: [x, ...parameters, side, dy],
      build: ([images, gamma, beta, m, v, added, upstream]) => {
        const inputs = { x: images, scale: gamma, offset: beta, runningMean: m, runningVariance: v, side: added };
        const of = ({ y }: Result) => [y, ...gradients(sum(mul(y, upstream)), [images, gamma, beta, added])];
        return differences(of(fused(inputs, activation)), of(composed(inputs, activation)));
      },
      expected: expectZeros(1e-4),
    }),
  ),
  ...(['float32', 'bfloat16'] as const).map((dtype) =>
    forwardCase({
      op: 'DeepCnnBatchNormGrad',
      name: `a sum that is used twice, in ${dtype}`,
      inputs: [x, ...parameters, side, dy],
      build: ([images, gamma, beta, m, v, added, upstream]) => {
        const [narrow, narrowSide] = [cast(images, dtype), cast(added, dtype)];
        const inputs = { x: narrow, scale: gamma, offset: beta, runningMean: m, runningVariance: v, side: narrowSide };
        const wide = { ...inputs, x: cast(narrow, 'float32'), side: cast(narrowSide, 'float32') };
        const of = ({ y }: Result) => {
          const [first, second] = [mul(y, cast(upstream, y.dtype)), mul(y, y)];
          return gradients(sum(cast(add(first, second), 'float32')), [gamma, beta, added]);
        };
        return differences(of(fused(inputs, 'relu')), of(composed(wide, 'relu')));
      },
      expected: expectZeros(dtype === 'float32' ? 2e-4 : 0.4),
    }),
  ),
  forwardCase({
    op: 'DeepCnnBatchNormGrad',
    name: "means of the images as TensorFlow's",
    inputs: [x, ...parameters, dy, weights],
    build: ([images, gamma, beta, m, v, upstream, ofMeans]) => {
      const inputs = { x: images, scale: gamma, offset: beta, runningMean: m, runningVariance: v };
      const of = (y: Tensor, means: Tensor) => {
        const loss = add(sum(mul(y, upstream)), sum(mul(means, ofMeans)));
        return [means, ...gradients(loss, [images, gamma, beta])];
      };
      const { y, pooled } = fused(inputs, 'silu', true);
      const standard = composed(inputs, 'silu').y;
      return differences(of(y, pooled), of(standard, mean(standard, [1, 2], true)));
    },
    expected: expectZeros(1e-4),
  }),
  forwardCase({
    op: 'DeepCnnScale',
    name: 'by hand',
    inputs: [floats([2, 1, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]), floats([2, 1, 1, 2], [1, 10, 2, -1])],
    build: ([images, by]) => scaleChannels(images, by),
    expected: [1, 20, 3, 40, 10, -6, 14, -8],
  }),
  forwardCase({
    op: 'DeepCnnScaleGrad',
    name: "as TensorFlow's",
    inputs: [x, weights, dy],
    build: ([images, by, upstream]) => {
      const of = (y: Tensor) => [y, ...gradients(sum(mul(y, upstream)), [images, by])];
      return differences(of(scaleChannels(images, by)), of(mul(images, by)));
    },
    expected: expectZeros(1e-5),
  }),
];

const small = noisy(5, [2, 2, 3, 3], { dynamic: true });
const smallSide = noisy(6, [2, 2, 3, 3], { dynamic: true });
const few = [
  floats([3], [1.5, -0.7, 1]),
  floats([3], [0.2, 0.7, -0.4]),
  floats([3], [0.5, -1, 0], { fixed: true }),
  floats([3], [2, 0.25, 1], { fixed: true }),
] as const;

export const backward: GradientCase[] = [
  // Without those that have corners, which a step may cross.
  ...(['none', 'silu'] as const).map((activation) =>
    gradientCase({
      op: 'DeepCnnBatchNorm',
      name: activation,
      inputs: [small, ...few],
      build: ([images, gamma, beta, m, v]) =>
        fused({ x: images, scale: gamma, offset: beta, runningMean: m, runningVariance: v }, activation).y,
      tolerance: 2e-3,
    }),
  ),
  gradientCase({
    op: 'DeepCnnBatchNorm',
    name: 'a sum',
    inputs: [small, ...few, smallSide],
    build: ([images, gamma, beta, m, v, added]) =>
      fused({ x: images, scale: gamma, offset: beta, runningMean: m, runningVariance: v, side: added }, 'none').y,
    tolerance: 2e-3,
  }),
  gradientCase({
    op: 'DeepCnnBatchNorm',
    name: 'means of the images',
    inputs: [small, ...few],
    build: ([images, gamma, beta, m, v]) => {
      const inputs = { x: images, scale: gamma, offset: beta, runningMean: m, runningVariance: v };
      const { y, pooled } = fused(inputs, 'silu', true);
      return mul(y, pooled);
    },
    tolerance: 2e-3,
  }),
  gradientCase({
    op: 'DeepCnnScale',
    inputs: [small, noisy(7, [2, 1, 1, 3], { dynamic: true })],
    build: ([images, by]) => scaleChannels(images, by),
  }),
];
