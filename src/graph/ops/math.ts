// Elementwise arithmetic, matrix products and reductions.

import type { Tensor } from '../graph.js';
import { apply, type NoOptions, type OpDefinition, type OpFamily, present, typeOf } from '../op.js';
import { broadcastShapes, type Dimension, type DType, type Shape, sameShape } from '../types.js';
import { broadcastTo, cast, reshape, shapeOf, size } from './array.js';
import { fusedAdd, hasFusedAdd } from './fused-add.js';
import { isCheapOfImages, remade } from './remade.js';
import { floatConstant, intConstant } from './source.js';
import { widened } from './widen.js';

const none: NoOptions = {};

function binary(op: string, gradient: OpDefinition<NoOptions>['gradient']): OpDefinition<NoOptions> {
  return {
    op,
    outputs: ([a, b]) => {
      if (!a || !b || a.dtype !== b.dtype) throw new Error(`internal: ${op} needs two tensors of a type: ${a}, ${b}`);
      return [{ dtype: a.dtype, shape: broadcastShapes(a.shape, b.shape) }];
    },
    attributes: typeOf,
    gradient,
  };
}

// d(a + b) = da + db
const addOp = binary('AddV2', (_, dy) => [dy, dy]);
// d(a - b) = da - db
const subOp = binary('Sub', (_, dy) => [dy, neg(present(dy))]);
// d(a b) = b da + a db
const mulOp = binary('Mul', ({ inputs: [a, b], wanted }, dy) => [
  wanted[0] && b ? mul(present(dy), b) : undefined,
  wanted[1] && a ? mul(present(dy), a) : undefined,
]);
// d(a / b) = da / b - (a / b) / b db
const divOp = binary('RealDiv', ({ inputs: [, b], outputs: [y], wanted }, dy) => {
  if (!b || !y) return [];
  const da = div(present(dy), b);
  return [da, wanted[1] ? neg(mul(da, y)) : undefined];
});

function unary(op: string, gradient: OpDefinition<NoOptions>['gradient']): OpDefinition<NoOptions> {
  return { op, outputs: ([x]) => (x ? [x] : []), attributes: typeOf, gradient };
}

// d(-x) = -dx
const negOp = unary('Neg', (_, dy) => [neg(present(dy))]);
// d sqrt(x) = dx / (2 sqrt(x))
const sqrtOp = unary('Sqrt', ({ outputs: [y] }, dy) => (y ? [div(present(dy), add(y, y))] : []));
// d rsqrt(x) = -rsqrt(x)³ / 2 dx
const rsqrtOp = unary('Rsqrt', ({ outputs: [y] }, dy) => {
  if (!y) return [];
  const half = cast(floatConstant(y.graph, -0.5), y.dtype);
  return [mul(present(dy), mul(half, mul(y, mul(y, y))))];
});
// d x² = 2 x dx
const squareOp = unary('Square', ({ inputs: [x] }, dy) => (x ? [mul(present(dy), add(x, x))] : []));

const greaterEqualOp: OpDefinition<NoOptions> = {
  op: 'GreaterEqual',
  outputs: ([a, b]) => (a && b ? [{ dtype: 'bool', shape: broadcastShapes(a.shape, b.shape) }] : []),
  attributes: typeOf,
  gradient: 'constant',
};

const isFiniteOp: OpDefinition<NoOptions> = {
  op: 'IsFinite',
  outputs: ([x]) => (x ? [{ dtype: 'bool', shape: x.shape }] : []),
  attributes: typeOf,
  gradient: 'constant',
};

// d (Σ x² / 2) = x dx
const l2LossOp: OpDefinition<NoOptions> = {
  op: 'L2Loss',
  outputs: ([x]) => (x ? [{ dtype: x.dtype, shape: [] }] : []),
  attributes: typeOf,
  gradient: ({ inputs: [x] }, dy) => (x ? [mul(x, present(dy))] : []),
};

interface MatMulOptions {
  transposeA: boolean;
  transposeB: boolean;
}

// Y = op(A) op(B), each transposed or not: dop(A) = dY op(B)ᵀ and dop(B) = op(A)ᵀ dY, transposed back where need be.
const matMulOp: OpDefinition<MatMulOptions> = {
  op: 'MatMul',
  outputs: ([a, b], { transposeA, transposeB }) => {
    if (a?.shape.length !== 2 || b?.shape.length !== 2) throw new Error(`internal: MatMul needs matrices: ${a}, ${b}`);
    const [rows, inner] = transposeA ? [a.shape[1], a.shape[0]] : a.shape;
    const [otherInner, columns] = transposeB ? [b.shape[1], b.shape[0]] : b.shape;
    if (inner !== otherInner) throw new Error(`internal: MatMul's inner sizes differ: ${a}, ${b}`);
    return [{ dtype: a.dtype, shape: [rows ?? null, columns ?? null] }];
  },
  attributes: (inputs, { transposeA, transposeB }) => ({
    ...typeOf(inputs),
    transpose_a: { bool: transposeA },
    transpose_b: { bool: transposeB },
  }),
  gradient: ({ inputs: [a, b], options: { transposeA, transposeB }, wanted }, upstream) => {
    const dy = present(upstream);
    if (!a || !b) return [];
    const da = () =>
      transposeA
        ? matMul(b, dy, { transposeA: transposeB, transposeB: true })
        : matMul(dy, b, { transposeB: !transposeB });
    const db = () => {
      const again = isCheapOfImages(a) ? remade(a, dy) : a;
      return transposeB
        ? matMul(dy, again, { transposeA: true, transposeB: transposeA })
        : matMul(again, dy, { transposeA: !transposeA });
    };
    return [wanted[0] ? da() : undefined, wanted[1] ? db() : undefined];
  },
};

interface ReduceOptions {
  axes: readonly number[];
  keepDims: boolean;
}

function reduction(op: string, gradient: OpDefinition<ReduceOptions>['gradient']): OpDefinition<ReduceOptions> {
  return {
    op,
    outputs: ([x], { axes, keepDims }) => (x ? [{ dtype: x.dtype, shape: reducedShape(x.shape, axes, keepDims) }] : []),
    attributes: (inputs, { keepDims }) => ({
      ...typeOf(inputs),
      Tidx: { dtype: 'int32' as DType },
      keep_dims: { bool: keepDims },
    }),
    gradient,
  };
}

function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): Shape {
  const reduced = new Set(axes);
  const kept: Dimension[] = shape.map((length, axis) => (reduced.has(axis) ? 1 : length));
  return keepDims ? kept : kept.filter((_, axis) => !reduced.has(axis));
}

/** Repeats a reduction's gradient along the axes that were reduced. */
function spread(x: Tensor, axes: readonly number[], dy: Tensor): Tensor {
  return broadcastTo(reshape(dy, reducedShape(x.shape, axes, true)), shapeOf(x), x.shape);
}

// d sum(x) = sum(dx)
const sumOp = reduction('Sum', ({ inputs: [x], options: { axes } }, dy) => (x ? [spread(x, axes, present(dy))] : []));
// d mean(x) = sum(dx) / count
const meanOp = reduction('Mean', ({ inputs: [x], outputs: [y], options: { axes } }, dy) => {
  if (!x || !y) return [];
  // In float32, as float16 ends at 65,504, and bfloat16 counts by hundreds there.
  const count = div(cast(size(x), 'float32'), cast(size(y), 'float32'));
  return [spread(x, axes, cast(div(cast(present(dy), 'float32'), count), x.dtype))];
});

export const mathOps: OpFamily = [
  addOp,
  subOp,
  mulOp,
  divOp,
  negOp,
  sqrtOp,
  rsqrtOp,
  squareOp,
  greaterEqualOp,
  isFiniteOp,
  l2LossOp,
  matMulOp,
  sumOp,
  meanOp,
];

/** a + b, with broadcasting. */
export const add = (a: Tensor, b: Tensor): Tensor => (hasFusedAdd(a, b) ? fusedAdd(a, b) : apply(addOp, [a, b], none));

/** The two tensors of one shape of which x is the sum, or none. */
export function addendsOf({ node, shape }: Tensor): [Tensor, Tensor] | undefined {
  const [a, b] = node.op === 'AddV2' || node.op === 'DeepCnnAdd' ? node.inputs : [];
  return a && b && [a, b].every((each) => sameShape(each.shape, shape)) ? [a, b] : undefined;
}

/** a - b, with broadcasting. */
export const sub = (a: Tensor, b: Tensor): Tensor => apply(subOp, [a, b], none);
/** a b, elementwise with broadcasting. */
export const mul = (a: Tensor, b: Tensor): Tensor => apply(mulOp, [a, b], none);
/** a / b, elementwise with broadcasting. */
export const div = (a: Tensor, b: Tensor): Tensor => apply(divOp, [a, b], none);
export const neg = (x: Tensor): Tensor => apply(negOp, [x], none);
export const sqrt = (x: Tensor): Tensor => apply(sqrtOp, [x], none);
/** 1 / sqrt(x). */
export const rsqrt = (x: Tensor): Tensor => apply(rsqrtOp, [x], none);
export const square = (x: Tensor): Tensor => apply(squareOp, [x], none);
/** Whether a >= b, as bool, with broadcasting. */
export const greaterEqual = (a: Tensor, b: Tensor): Tensor => apply(greaterEqualOp, [a, b], none);

/** Whether each number is neither infinite nor NaN, as bool. */
export const finite = (x: Tensor): Tensor => apply(isFiniteOp, [x], none);
/** Half the sum of all squares, read in one pass. */
export const halfSquares = (x: Tensor): Tensor => apply(l2LossOp, [x], none);

/** The product of two matrices, either of which may be read transposed. */
export function matMul(a: Tensor, b: Tensor, { transposeA = false, transposeB = false } = {}): Tensor {
  return widened([a, b], (left, right) => apply(matMulOp, [left, right], { transposeA, transposeB }));
}

/** Sums over `axes` (all of them by default). */
export function sum(x: Tensor, axes: readonly number[] = allAxes(x), keepDims = false): Tensor {
  return reduce(sumOp, x, axes, keepDims);
}

/** The mean over `axes` (all of them by default). */
export function mean(x: Tensor, axes: readonly number[] = allAxes(x), keepDims = false): Tensor {
  return reduce(meanOp, x, axes, keepDims);
}

function reduce(op: OpDefinition<ReduceOptions>, x: Tensor, axes: readonly number[], keepDims: boolean): Tensor {
  return apply(op, [x, intConstant(x.graph, axes)], { axes, keepDims });
}

const allAxes = (x: Tensor): number[] => x.shape.map((_, axis) => axis);
