// Batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167), fused.

import type { Attributes, Tensor } from '../graph.js';
import { apply, applyAll, type OpDefinition, type OpFamily, output, present } from '../op.js';

export interface BatchNormOptions {
  epsilon: number;
  /** Normalise by the batch's own statistics, or by the ones handed in. */
  training: boolean;
  /** Training: weight of this batch in the running statistics that come out, 0 to 1. */
  momentum: number;
}

const attributes = ([x]: readonly Tensor[], { epsilon, training, momentum }: BatchNormOptions): Attributes => ({
  T: { dtype: x?.dtype ?? 'float32' },
  U: { dtype: 'float32' },
  epsilon: { float: epsilon },
  is_training: { bool: training },
  exponential_avg_factor: { float: momentum },
  data_format: { string: 'NHWC' },
});

// With xh = (x - mean) / std, y = scale xh + offset over n elements a channel (training):
//   dscale = Σ dy xh, doffset = Σ dy, dx = scale / std (dy - doffset / n - xh dscale / n)
const fusedBatchNormOp: OpDefinition<BatchNormOptions> = {
  op: 'FusedBatchNormV3',
  outputs: ([x, scale]) => {
    if (x?.shape.length !== 4 || !scale) throw new Error(`internal: batch norm needs images: ${x}`);
    const statistics = { dtype: 'float32', shape: scale.shape } as const;
    // y, mean, variance, and three that only the gradient reads
    return [x, statistics, statistics, statistics, statistics, { dtype: 'float32', shape: [null] }];
  },
  attributes,
  gradient: ({ inputs: [x, scale], outputs, options }, dy) => {
    const reserved = outputs.slice(3);
    if (!x || !scale || reserved.length !== 3) return [];
    const node = applyAll(fusedBatchNormGradOp, [present(dy), x, scale, ...reserved], options);
    return [output(node, 0), output(node, 1), output(node, 2)];
  },
};

const fusedBatchNormGradOp: OpDefinition<BatchNormOptions> = {
  op: 'FusedBatchNormGradV3',
  outputs: ([, x, scale]) => {
    if (!x || !scale) return [];
    const unused = { dtype: 'float32', shape: [null] } as const;
    return [x, scale, scale, unused, unused];
  },
  attributes: (inputs, options) => {
    const { exponential_avg_factor: _, ...rest } = attributes(inputs, options);
    return rest;
  },
  gradient: 'final',
};

export const normOps: OpFamily = [fusedBatchNormOp, fusedBatchNormGradOp];

export interface BatchNormInputs {
  x: Tensor;
  /** All [C], float32. */
  scale: Tensor;
  offset: Tensor;
  runningMean: Tensor;
  runningVariance: Tensor;
}

/** Normalises x by its own statistics, and returns the running ones moved towards them (variance unbiased). */
export function batchNormTraining(
  { x, scale, offset, runningMean, runningVariance }: BatchNormInputs,
  { epsilon, momentum }: { epsilon: number; momentum: number },
): { y: Tensor; runningMean: Tensor; runningVariance: Tensor } {
  const inputs = [x, scale, offset, runningMean, runningVariance];
  const node = applyAll(fusedBatchNormOp, inputs, { epsilon, training: true, momentum });
  return { y: output(node, 0), runningMean: output(node, 1), runningVariance: output(node, 2) };
}

/** Normalises x by the running statistics. */
export function batchNormInference(
  { x, scale, offset, runningMean, runningVariance }: BatchNormInputs,
  { epsilon }: { epsilon: number },
): Tensor {
  const options = { epsilon, training: false, momentum: 1 };
  return apply(fusedBatchNormOp, [x, scale, offset, runningMean, runningVariance], options);
}
