// Activation functions and what they are made of.

import type { Tensor } from '../graph.js';
import { apply, type NoOptions, type OpDefinition, type OpFamily, present, typeOf } from '../op.js';
import { cast } from './array.js';
import { add, mul } from './math.js';
import { floatConstant } from './source.js';

const none: NoOptions = {};

function unary(op: string, gradient: OpDefinition<NoOptions>['gradient']): OpDefinition<NoOptions> {
  return {
    op,
    outputs: ([x]) => (x ? [x] : []),
    attributes: typeOf,
    gradient,
  };
}

// d relu(x) = dx where relu(x) > 0, else 0
const reluOp = unary('Relu', ({ outputs: [y] }, dy) => (y ? [apply(reluGradOp, [present(dy), y], none)] : []));
const reluGradOp = unary('ReluGrad', 'final');
// d relu6(x) = dx where 0 < relu6(x) < 6, else 0
const relu6Op = unary('Relu6', ({ outputs: [y] }, dy) => (y ? [apply(relu6GradOp, [present(dy), y], none)] : []));
const relu6GradOp = unary('Relu6Grad', 'final');
// With s = sigmoid(x): d s = s (1 - s) dx
const sigmoidOp = unary('Sigmoid', ({ outputs: [y] }, dy) => (y ? [apply(sigmoidGradOp, [y, present(dy)], none)] : []));
const sigmoidGradOp = unary('SigmoidGrad', 'final');
// d erf(x) = 2 / sqrt(pi) exp(-x²) dx
const erfOp = unary('Erf', ({ inputs: [x] }, dy) => {
  if (!x) return [];
  const density = mul(exp(mul(scalar(x, -1), mul(x, x))), scalar(x, 2 / Math.sqrt(Math.PI)));
  return [mul(present(dy), density)];
});
// d exp(x) = exp(x) dx
const expOp = unary('Exp', ({ outputs: [y] }, dy) => (y ? [mul(present(dy), y)] : []));

export const activationOps: OpFamily = [
  ...[reluOp, reluGradOp, relu6Op, relu6GradOp, sigmoidOp, sigmoidGradOp, erfOp, expOp],
];

/** A constant of x's type. */
export const scalar = (x: Tensor, value: number): Tensor => cast(floatConstant(x.graph, value), x.dtype);

export const exp = (x: Tensor): Tensor => apply(expOp, [x], none);
export const erf = (x: Tensor): Tensor => apply(erfOp, [x], none);
/** max(x, 0). */
export const relu = (x: Tensor): Tensor => apply(reluOp, [x], none);
/** min(max(x, 0), 6). */
export const relu6 = (x: Tensor): Tensor => apply(relu6Op, [x], none);
/** 1 / (1 + exp(-x)). */
export const sigmoid = (x: Tensor): Tensor => apply(sigmoidOp, [x], none);
/** x sigmoid(x): Elfwing et al. 2017, arXiv:1702.03118; Ramachandran et al. 2017 (swish), arXiv:1710.05941. */
export const silu = (x: Tensor): Tensor => mul(x, sigmoid(x));
/** relu6(x + 3) / 6: Howard et al. 2019, arXiv:1905.02244. */
export const hardSigmoid = (x: Tensor): Tensor => mul(relu6(add(x, scalar(x, 3))), scalar(x, 1 / 6));
/** x relu6(x + 3) / 6, of the same paper. */
export const hardSwish = (x: Tensor): Tensor => mul(x, hardSigmoid(x));

/** Those that can be fused with what comes before, by name. */
const named = { relu, relu6, silu, hardSwish } as const;

export type ActivationName = keyof typeof named;

/** One of this file's functions by its name. */
export const activate = (name: ActivationName, x: Tensor): Tensor => named[name](x);

/** The name of one of this file's functions, where it has one. */
export function activationName(activation: (x: Tensor) => Tensor): ActivationName | undefined {
  for (const [name, each] of Object.entries(named)) if (each === activation) return name as ActivationName;
  return undefined;
}
