import { gradients } from '#src/graph/autodiff.js';
import type { Tensor } from '#src/graph/graph.js';
import { type ActivationName, relu, silu } from '#src/graph/ops/activation.js';
import { cast, pad } from '#src/graph/ops/array.js';
import { fusedDepthwiseConv2d } from '#src/graph/ops/fused-depthwise.js';
import { fusedGroupedConv2d } from '#src/graph/ops/fused-grouped.js';
import { fusedBatchNorm, fusedBatchNormInference, scaleChannels } from '#src/graph/ops/fused-norm.js';
import type { FusedWindowsOptions } from '#src/graph/ops/fused-windows.js';
import { add, mul, sub, sum } from '#src/graph/ops/math.js';
import { batchNormInference } from '#src/graph/ops/norm.js';
import { remade } from '#src/graph/ops/remade.js';
import { identity } from '#src/graph/ops/source.js';
import { type ForwardCase, forwardCase, type GradientCase } from '../op-case.js';
import { floats, noisy } from '../samples.js';
import { differences, expectZeros } from './differences.js';

const types = ['float32', 'bfloat16'] as const;
const channels = 20;
const parametersOf = (count: number) =>
  [
    floats([count], (c) => (c - 9) / 3),
    floats([count], (c) => ((c * 7) % 5) - 1),
    floats([count], () => 0, { fixed: true }),
    floats([count], () => 1, { fixed: true }),
  ] as const;
const parameters = parametersOf(channels);

type Parameters = readonly [scale: Tensor, offset: Tensor, mean: Tensor, variance: Tensor];

/** y, which the backward pass may make once more, and the same behind a node that hides what it is. */
function normalised(
  images: Tensor,
  [scale, offset, runningMean, runningVariance]: Parameters,
  activation: ActivationName,
) {
  const inputs = { x: images, scale, offset, runningMean, runningVariance };
  const { y } = fusedBatchNorm(inputs, { epsilon: 1e-3, momentum: 0.1, activation, pool: false });
  return { y, hidden: identity(y) };
}

/** How far the gradients of `of` are from those that are computed with the y that was kept: not at all. */
function fromKept(
  { y, hidden }: ReturnType<typeof normalised>,
  targets: readonly Tensor[],
  of: (y: Tensor) => Tensor,
): Tensor[] {
  return differences(gradients(of(y), targets), gradients(of(hidden), targets));
}

type Remade = (typeof types)[number];
/** Of what is made once more. */
const slowest = { float32: 'silu', bfloat16: 'hardSwish' } as const;

const weighed = (y: Tensor, weights: Tensor) => sum(mul(cast(y, 'float32'), weights));

const normalising = (dtype: Remade, activation: ActivationName) =>
  forwardCase({
    op: 'DeepCnnNormalise',
    name: `${activation} in ${dtype}`,
    inputs: [noisy(1, [3, 5, 7, channels], { dynamic: true }), ...parameters],
    build: ([images, ...norm]) => {
      const { y } = normalised(cast(images, dtype), norm, activation);
      const paddings = [
        [0, 0],
        [1, 0],
        [0, 2],
        [0, 0],
      ] as const;
      const padded = pad(y, paddings);
      return [sub(remade(y, y), y), sub(remade(padded, y), padded)];
    },
    expected: expectZeros(0),
  });

/** By the running statistics, with a sum or without, against TensorFlow's ops. */
const evaluating = (activation: 'none' | 'relu' | 'silu', adds: boolean) =>
  forwardCase({
    op: 'DeepCnnNormalise',
    name: `${activation} ${adds ? 'of a sum ' : ''}in evaluation`,
    inputs: [
      noisy(1, [3, 5, 7, channels], { dynamic: true }),
      noisy(2, [3, 5, 7, channels], { dynamic: true }),
      parameters[0],
      parameters[1],
      floats([channels], (c) => c / 7 - 1),
      floats([channels], (c) => 0.5 + c / 10),
    ] as const,
    build: ([x, other, scale, offset, runningMean, runningVariance]) => {
      const inputs = { x, scale, offset, runningMean, runningVariance };
      const found = fusedBatchNormInference({ ...inputs, ...(adds && { side: other }) }, { epsilon: 1e-3, activation });
      const z = batchNormInference(inputs, { epsilon: 1e-3 });
      const sum = adds ? add(z, other) : z;
      return sub(found, activation === 'none' ? sum : { relu, silu }[activation](sum));
    },
    expected: expectZeros(1e-5),
  });

const scaling = (dtype: Remade) =>
  forwardCase({
    op: 'DeepCnnScaleGrad',
    name: `of what a batch norm made, in ${dtype}`,
    inputs: [
      noisy(2, [3, 5, 7, channels], { dynamic: true }),
      ...parameters,
      noisy(3, [3, 1, 1, channels], { dynamic: true }),
      noisy(4, [3, 5, 7, channels], { dynamic: true }),
    ],
    build: ([images, scale, offset, mean, variance, by, weights]) => {
      const made = normalised(cast(images, dtype), [scale, offset, mean, variance], slowest[dtype]);
      const of = (y: Tensor) => weighed(scaleChannels(y, cast(by, dtype)), weights);
      return fromKept(made, [images, scale, by], of);
    },
    expected: expectZeros(0),
  });

/** What reads a batch norm's result: each channel by itself, or in groups, which are more than a task has. */
const convolutions = {
  DeepCnnDepthwiseGrad: { convolve: fusedDepthwiseConv2d, count: channels, filterOf: [channels, 1] },
  DeepCnnGroupedGrad: { convolve: fusedGroupedConv2d, count: 72, filterOf: [8, 72] },
} as const;

const convolving = (
  op: keyof typeof convolutions,
  dtype: Remade,
  kernel: number,
  { stride, padding }: FusedWindowsOptions,
  images: number,
) => {
  const { convolve, count, filterOf } = convolutions[op];
  const [top, bottom, left, right] = padding;
  const [height, width] = [23, 6];
  const length = (size: number) => Math.floor((size - kernel) / stride) + 1;
  return forwardCase({
    op,
    name: `${kernel}x${kernel} at stride ${stride} of what a batch norm made of ${images} images, in ${dtype}`,
    inputs: [
      noisy(5, [images, height, width, count], { dynamic: true }),
      ...parametersOf(count),
      noisy(6, [kernel, kernel, ...filterOf]),
      noisy(7, [images, length(height + top + bottom), length(width + left + right), count], { dynamic: true }),
    ],
    build: ([x, scale, offset, mean, variance, filter, weights]) => {
      const made = normalised(cast(x, dtype), [scale, offset, mean, variance], slowest[dtype]);
      const of = (y: Tensor) => weighed(convolve(y, filter, { stride, padding }), weights);
      return fromKept(made, [x, scale, filter], of);
    },
    expected: expectZeros(0),
  });
};

const inEvaluation = [
  evaluating('none', false),
  evaluating('silu', false),
  evaluating('relu', true),
  evaluating('none', true),
];

const inBackward = types.flatMap((dtype) => [
  ...(['relu', 'relu6', 'hardSwish'] as const).map((activation) => normalising(dtype, activation)),
  ...(dtype === 'float32' ? [normalising(dtype, 'silu')] : []),
  scaling(dtype),
  // So many images are a task each, which goes through all rows; of fewer, each task has some rows.
  ...[64, 2].flatMap((images) => [
    convolving('DeepCnnDepthwiseGrad', dtype, 3, { stride: 1, padding: [1, 1, 1, 1] }, images),
    convolving('DeepCnnDepthwiseGrad', dtype, 5, { stride: 2, padding: [2, 2, 2, 2] }, images),
    convolving('DeepCnnDepthwiseGrad', dtype, 3, { stride: 2, padding: [0, 0, 0, 0] }, images),
  ]),
]);

const inGroups = [
  convolving('DeepCnnGroupedGrad', 'float32', 3, { stride: 1, padding: [1, 1, 1, 1] }, 40),
  convolving('DeepCnnGroupedGrad', 'float32', 3, { stride: 2, padding: [1, 0, 1, 0] }, 2),
];

export const forward: ForwardCase[] = [...inEvaluation, ...inBackward, ...inGroups];

export const backward: GradientCase[] = [];
