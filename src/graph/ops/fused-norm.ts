// Batch normalisation, an addition and an activation in one, by our own kernels (src/tensorflow/native/kernels_norm.h).
// Only x is kept for the backward pass, which computes what comes of it again, and y where something was added.

import type { Attributes, Tensor } from '../graph.js';
import { apply, applyAll, hasKernels, type OpDefinition, type OpFamily, output, present } from '../op.js';
import { dimension, sameShape } from '../types.js';
import type { ActivationName } from './activation.js';
import { add, addendsOf, rsqrt } from './math.js';
import type { BatchNormInputs } from './norm.js';
import { activationCodes, type Norm, normAttributes, normalise, normBefore, remadeOps } from './remade.js';
import { floatConstant } from './source.js';

interface FusedNormOptions {
  epsilon: number;
  momentum: number;
  activation: ActivationName | 'none';
  /** Whether the mean of y over each image is wanted, too. */
  pool: boolean;
}

// With z = scale (x - mean) / std + offset + side and y = act(z): g = act'(z) (dy + dpooled / pixels) is the gradient at
// side, and that at x, scale and offset follows from it as for FusedBatchNormV3.
const fusedNormOp: OpDefinition<FusedNormOptions> = {
  op: 'DeepCnnBatchNorm',
  outputs: ([x, scale, , , , side], { pool, activation }) => {
    if (x?.shape.length !== 4 || !scale) throw new Error(`internal: batch norm needs images: ${x}`);
    if (side && (side.dtype !== x.dtype || !sameShape(side.shape, x.shape))) {
      throw new Error(`internal: ${side} can't be added to ${x}`);
    }
    if (side && (pool || (activation !== 'none' && activation !== 'relu'))) {
      throw new Error(`internal: a sum has no fused ${pool ? 'means' : activation}`);
    }
    const statistics = { dtype: 'float32', shape: scale.shape } as const;
    const images = pool ? dimension(x.shape, 0) : 0;
    const pooled = { dtype: 'float32', shape: [images, 1, 1, dimension(x.shape, 3)] } as const;
    // y, the running statistics moved, the batch's mean and 1 / std, and y's means over the images
    return [x, statistics, statistics, statistics, statistics, pooled];
  },
  attributes: ([x, , , , , side], { epsilon, momentum, activation, pool }): Attributes => ({
    T: { dtype: x?.dtype ?? 'float32' },
    activation: { int: activationCodes[activation] },
    epsilon: { float: epsilon },
    momentum: { float: momentum },
    pool: { int: pool ? 1 : 0 },
    sides: { int: side ? 1 : 0 },
  }),
  gradient: ({ inputs: [x, scale, offset, , , side], outputs, options: { activation } }, given, ...others) => {
    const [y, , , mean, rstd] = outputs;
    if (!x || !y || !scale || !offset || !mean || !rstd) return [];
    const dpooled = others[4];
    const masks = side && activation !== 'none' ? [y] : [];
    // A sum that nothing else needs is made on the way.
    const [dy, ...more] = (masks.length > 0 && addendsOf(present(given))) || [present(given)];
    const pools = dpooled ? [dpooled] : [];
    const inputs = [dy, x, scale, offset, mean, rstd, ...masks, ...pools, ...more];
    const counts = { sides: masks.length, pools: pools.length, mores: more.length };
    const node = applyAll(fusedNormGradOp, inputs, { activation, ...counts });
    const dside = side && (masks.length > 0 ? output(node, 3) : dy);
    return [output(node, 0), output(node, 1), output(node, 2), undefined, undefined, dside];
  },
};

interface FusedNormGradOptions {
  activation: ActivationName | 'none';
  /** How many there are of y, of gradients at means, and of what is added to dy. */
  sides: number;
  pools: number;
  mores: number;
}

const fusedNormGradOp: OpDefinition<FusedNormGradOptions> = {
  op: 'DeepCnnBatchNormGrad',
  outputs: ([dy, x, scale], { sides }) => {
    if (!dy || !x || !scale) return [];
    return [x, scale, scale, sides ? x : { dtype: x.dtype, shape: [0] }];
  },
  attributes: ([dy], { activation, sides, pools, mores }) => ({
    T: { dtype: dy?.dtype ?? 'float32' },
    activation: { int: activationCodes[activation] },
    sides: { int: sides },
    pools: { int: pools },
    mores: { int: mores },
  }),
  gradient: 'final',
};

// d(x s) = s dx + x ds, the latter summed over the pixels
const scaleOp: OpDefinition<Record<never, never>> = {
  op: 'DeepCnnScale',
  outputs: ([x, by]) => {
    if (x?.shape.length !== 4 || by?.dtype !== x.dtype || dimension(by.shape, -1) !== dimension(x.shape, 3)) {
      throw new Error(`internal: ${by} does not scale the channels of ${x}`);
    }
    return [x];
  },
  attributes: ([x]) => ({ T: { dtype: x?.dtype ?? 'float32' } }),
  gradient: ({ inputs: [x, by] }, dy) => {
    if (!x || !by) return [];
    const norm = normBefore(x);
    const node = applyAll(scaleGradOp, [present(dy), norm?.x ?? x, by, ...(norm?.constants ?? [])], { norm });
    return [output(node, 0), output(node, 1)];
  },
};

const scaleGradOp: OpDefinition<{ norm: Norm | undefined }> = {
  op: 'DeepCnnScaleGrad',
  outputs: ([, x, by]) => (x && by ? [x, by] : []),
  attributes: ([x], { norm }) => ({ T: { dtype: x?.dtype ?? 'float32' }, ...normAttributes(norm) }),
  gradient: 'final',
};

export const fusedNormOps: OpFamily = [fusedNormOp, fusedNormGradOp, scaleOp, scaleGradOp];

export interface FusedNormResult {
  y: Tensor;
  runningMean: Tensor;
  runningVariance: Tensor;
  /** The mean of y over each image, [N, 1, 1, C], float32; empty unless it was wanted. */
  pooled: Tensor;
}

/**
 * activation(batch norm of x, by its own statistics, + side), for graphs that have these kernels; `side` only with relu or
 * none. The running statistics come out as `batchNormTraining`'s do.
 */
export function fusedBatchNorm(
  { x, scale, offset, runningMean, runningVariance, side }: BatchNormInputs & { side?: Tensor | undefined },
  options: FusedNormOptions,
): FusedNormResult {
  const inputs = [x, scale, offset, runningMean, runningVariance, ...(side ? [side] : [])];
  const node = applyAll(fusedNormOp, inputs, options);
  return {
    y: output(node, 0),
    runningMean: output(node, 1),
    runningVariance: output(node, 2),
    pooled: output(node, 5),
  };
}

/** The same by the running statistics, for evaluation: it has no gradient. */
export function fusedBatchNormInference(
  { x, scale, offset, runningMean, runningVariance, side }: BatchNormInputs & { side?: Tensor | undefined },
  { epsilon, activation }: Pick<FusedNormOptions, 'epsilon' | 'activation'>,
): Tensor {
  const rstd = rsqrt(add(runningVariance, floatConstant(x.graph, epsilon)));
  const constants = [scale, offset, runningMean, rstd];
  return normalise({ x, constants, activation: { int: activationCodes[activation] } }, side);
}

/** Whether the graph has the kernels of this file for x's type. */
export const hasFusedNorm = (x: Tensor): boolean => hasKernels(x, [...fusedNormOps, ...remadeOps]);

/** x [N, H, W, C] times [N, 1, 1, C], for graphs that have these kernels. */
export function scaleChannels(x: Tensor, by: Tensor): Tensor {
  return apply(scaleOp, [x, by], {});
}
