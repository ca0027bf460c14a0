import { gradients } from '#src/graph/autodiff.js';
import { cast } from '#src/graph/ops/array.js';
import { mul, sum } from '#src/graph/ops/math.js';
import { batchNormInference, batchNormTraining } from '#src/graph/ops/norm.js';
import { batchNorm, batchNormBackward, ndarray } from '../naive.js';
import { forwardCase, gradientCase } from '../op-case.js';
import { floats, noisy } from '../samples.js';

const epsilon = 1e-3;
const momentum = 0.1;

const x = noisy(1, [3, 2, 2, 2], { dynamic: true });
const scale = floats([2], [1.5, -0.7]);
const offset = floats([2], [0.2, 3]);
const runningMean = floats([2], [0.5, -1], { fixed: true });
const runningVariance = floats([2], [2, 0.25], { fixed: true });
const inputs = [x, scale, offset, runningMean, runningVariance] as const;
const dy = noisy(2, [3, 2, 2, 2], { dynamic: true });

const expected = batchNorm(ndarray(x.shape, x.data), scale.data, offset.data, epsilon);
const expectedBackward = batchNormBackward(expected, scale.data, ndarray(dy.shape, dy.data), epsilon);
const moved = (from: ArrayLike<number>, to: Float64Array) =>
  [...to].map((value, c) => (1 - momentum) * (from[c] ?? Number.NaN) + momentum * value);

const trainingOutputs = [
  [...expected.y.values],
  moved(runningMean.data, expected.mean),
  moved(runningVariance.data, expected.unbiasedVariance),
];

/**
 * Images, scale, offset, running mean and variance. The mean is 4, the variance 5 (unbiased 20 / 3); with an epsilon of 4
 * the deviation is 3.
 */
export const fourPixels = [
  floats([1, 2, 2, 1], [1, 3, 5, 7]),
  floats([1], [2]),
  floats([1], [1]),
  floats([1], [0]),
  floats([1], [1]),
] as const;

export const forward = [
  forwardCase({
    op: 'FusedBatchNormV3',
    name: 'training, by hand',
    inputs: fourPixels,
    build: ([images, gamma, beta, m, v]) => {
      const made = batchNormTraining(
        { x: images, scale: gamma, offset: beta, runningMean: m, runningVariance: v },
        { epsilon: 4, momentum: 0.25 },
      );
      return [made.y, made.runningMean, made.runningVariance];
    },
    expected: [[-1, 1 - 2 / 3, 1 + 2 / 3, 3], [1], [0.75 + 20 / 12]],
  }),
  forwardCase({
    op: 'FusedBatchNormV3',
    name: 'training',
    inputs,
    build: ([images, gamma, beta, m, v]) => {
      const made = batchNormTraining(
        { x: images, scale: gamma, offset: beta, runningMean: m, runningVariance: v },
        { epsilon, momentum },
      );
      return [made.y, made.runningMean, made.runningVariance];
    },
    expected: trainingOutputs,
  }),
  forwardCase({
    op: 'FusedBatchNormV3',
    name: 'training in bfloat16 with statistics in float32',
    inputs,
    build: ([images, gamma, beta, m, v]) => {
      const made = batchNormTraining(
        { x: cast(images, 'bfloat16'), scale: gamma, offset: beta, runningMean: m, runningVariance: v },
        { epsilon, momentum },
      );
      return [made.y, made.runningMean, made.runningVariance];
    },
    expected: trainingOutputs,
    tolerance: 1e-2,
  }),
  forwardCase({
    op: 'FusedBatchNormV3',
    name: 'inference',
    inputs: [floats([1, 1, 2, 2], [1, 2, 3, 4]), scale, offset, runningMean, runningVariance],
    build: ([images, gamma, beta, m, v]) =>
      batchNormInference({ x: images, scale: gamma, offset: beta, runningMean: m, runningVariance: v }, { epsilon: 0 }),
    // 1.5 (x - 0.5) / sqrt 2 + 0.2 and -0.7 (x + 1) / 0.5 + 3
    expected: [0.2 + 0.75 / Math.SQRT2, -1.2, 0.2 + 3.75 / Math.SQRT2, -4],
  }),
  forwardCase({
    op: 'FusedBatchNormGradV3',
    inputs: [...inputs, dy],
    build: ([images, gamma, beta, m, v, upstream]) => {
      const { y } = batchNormTraining(
        { x: images, scale: gamma, offset: beta, runningMean: m, runningVariance: v },
        { epsilon, momentum },
      );
      return gradients(sum(mul(y, upstream)), [images, gamma, beta]);
    },
    expected: [[...expectedBackward.dx.values], [...expectedBackward.dscale], [...expectedBackward.doffset]],
    tolerance: 5e-6,
  }),
];

export const backward = [
  gradientCase({
    op: 'FusedBatchNormV3',
    name: 'training',
    inputs,
    build: ([images, gamma, beta, m, v]) =>
      batchNormTraining(
        { x: images, scale: gamma, offset: beta, runningMean: m, runningVariance: v },
        { epsilon, momentum },
      ).y,
  }),
  gradientCase({
    op: 'FusedBatchNormV3',
    name: 'inference',
    inputs,
    build: ([images, gamma, beta, m, v]) =>
      batchNormInference({ x: images, scale: gamma, offset: beta, runningMean: m, runningVariance: v }, { epsilon }),
  }),
];
