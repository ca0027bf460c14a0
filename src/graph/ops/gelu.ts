// GELU, x Φ(x) with the exact normal distribution: Hendrycks and Gimpel 2016, arXiv:1606.08415. By our own kernel
// (src/tensorflow/native/kernels_gelu.h) where there is one, which reads and writes once.

import type { Tensor } from '../graph.js';
import { apply, hasKernels, type NoOptions, type OpDefinition, type OpFamily, present, typeOf } from '../op.js';
import { erf, scalar } from './activation.js';
import { add, mul } from './math.js';

// With the density φ: d gelu(x) = (Φ(x) + x φ(x)) dx
const geluOp: OpDefinition<NoOptions> = {
  op: 'DeepCnnGelu',
  outputs: ([x]) => (x ? [x] : []),
  attributes: typeOf,
  gradient: ({ inputs: [x] }, dy) => (x ? [apply(geluGradOp, [present(dy), x], {})] : []),
};

const geluGradOp: OpDefinition<NoOptions> = {
  op: 'DeepCnnGeluGrad',
  outputs: ([dy]) => (dy ? [dy] : []),
  attributes: typeOf,
  gradient: 'final',
};

export const geluOps: OpFamily = [geluOp, geluGradOp];

/** x Φ(x) for graphs that have these kernels, in float32 or bfloat16. */
export const fusedGelu = (x: Tensor): Tensor => apply(geluOp, [x], {});

/** x Φ(x), by the kernel where there is one. */
export function gelu(x: Tensor): Tensor {
  if (hasKernels(x, geluOps)) return fusedGelu(x);
  const below = mul(add(erf(mul(x, scalar(x, Math.SQRT1_2))), scalar(x, 1)), scalar(x, 0.5));
  return mul(x, below);
}
