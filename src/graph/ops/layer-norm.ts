// Layer normalisation: Ba et al. 2016, arXiv:1607.06450. By our own kernels (src/tensorflow/native/kernels_layer_norm.h) where
// there are some: only x is kept for the backward pass.

import type { Tensor } from '../graph.js';
import { apply, applyAll, hasKernels, type OpDefinition, type OpFamily, output, present, typeOf } from '../op.js';
import { dimension } from '../types.js';
import { cast } from './array.js';
import { add, mean, mul, rsqrt, square, sub } from './math.js';
import { floatConstant } from './source.js';

export interface LayerNormOptions {
  epsilon: number;
}

const attributes = (inputs: readonly Tensor[], { epsilon }: LayerNormOptions) => ({
  ...typeOf(inputs),
  epsilon: { float: epsilon },
});

// With xh = (x - mean) / std, y = scale xh + offset and g = scale dy, means over the last axis, sums over the others:
//   dx = (g - mean(g) - xh mean(g xh)) / std, dscale = Σ dy xh, doffset = Σ dy
const layerNormOp: OpDefinition<LayerNormOptions> = {
  op: 'DeepCnnLayerNorm',
  outputs: ([x, scale, offset]) => {
    const fits = [scale, offset].every((each) => each?.dtype === 'float32' && each.shape[0] === x?.shape.at(-1));
    if (!x || !fits)
      throw new Error(`internal: a layer norm needs a number for each channel of ${x}: ${scale}, ${offset}`);
    return [x];
  },
  attributes,
  gradient: ({ inputs: [x, scale], options }, dy) => {
    if (!x || !scale) return [];
    const node = applyAll(layerNormGradOp, [present(dy), x, scale], options);
    return [output(node, 0), output(node, 1), output(node, 2)];
  },
};

const layerNormGradOp: OpDefinition<LayerNormOptions> = {
  op: 'DeepCnnLayerNormGrad',
  outputs: ([, x, scale]) => (x && scale ? [x, scale, { dtype: 'float32', shape: [dimension(x.shape, -1)] }] : []),
  attributes,
  gradient: 'final',
};

export const layerNormOps: OpFamily = [layerNormOp, layerNormGradOp];

export interface LayerNormInputs {
  x: Tensor;
  /** Both [C], float32. */
  scale: Tensor;
  offset: Tensor;
}

/** Normalises x over its last axis, for graphs that have these kernels, in float32 or bfloat16. */
export const fusedLayerNorm = ({ x, scale, offset }: LayerNormInputs, options: LayerNormOptions): Tensor =>
  apply(layerNormOp, [x, scale, offset], options);

/** Normalises x over its last axis, by the kernel where there is one. */
export function layerNorm(inputs: LayerNormInputs, options: LayerNormOptions): Tensor {
  const { x, scale, offset } = inputs;
  if (hasKernels(x, layerNormOps)) return fusedLayerNorm(inputs, options);
  const wide = cast(x, 'float32');
  const last = [x.shape.length - 1];
  const centred = sub(wide, mean(wide, last, true));
  const variance = mean(square(centred), last, true);
  const normalised = mul(centred, rsqrt(add(variance, floatConstant(x.graph, options.epsilon))));
  return cast(add(mul(normalised, scale), offset), x.dtype);
}
