// Ops that look at, move or reinterpret values without computing with them.

import type { Tensor } from '../graph.js';
import { apply, applyAll, type NoOptions, type OpDefinition, type OpFamily, present, typeOf } from '../op.js';
import { type DType, formatShape, isFloat, knownDimension, type Shape } from '../types.js';
import { intConstant } from './source.js';

interface ShapeOption {
  shape: Shape;
}

const shapeOp: OpDefinition<NoOptions> = {
  op: 'Shape',
  outputs: ([x]) => (x ? [{ dtype: 'int32', shape: [x.shape.length] }] : []),
  attributes: (inputs) => ({ ...typeOf(inputs), out_type: { dtype: 'int32' } }),
  gradient: 'constant',
};

const sizeOp: OpDefinition<NoOptions> = {
  op: 'Size',
  outputs: () => [{ dtype: 'int32', shape: [] }],
  attributes: (inputs) => ({ ...typeOf(inputs), out_type: { dtype: 'int32' } }),
  gradient: 'constant',
};

// d reshape(x) = reshape(dx)
const reshapeOp: OpDefinition<ShapeOption> = {
  op: 'Reshape',
  outputs: ([x], { shape }) => (x ? [{ dtype: x.dtype, shape }] : []),
  attributes: (inputs) => ({ ...typeOf(inputs), Tshape: { dtype: 'int32' } }),
  gradient: ({ inputs: [x] }, dy) => (x ? [reshapeLike(present(dy), x)] : []),
};

// The walker sums a gradient back to its input's shape.
const broadcastToOp: OpDefinition<ShapeOption> = {
  op: 'BroadcastTo',
  outputs: ([x], { shape }) => (x ? [{ dtype: x.dtype, shape }] : []),
  attributes: (inputs) => ({ ...typeOf(inputs), Tidx: { dtype: 'int32' } }),
  gradient: (_, dy) => [dy],
};

// d cast(x) = dx, cast back; integers have no gradient.
const castOp: OpDefinition<{ to: DType }> = {
  op: 'Cast',
  outputs: ([x], { to }) => (x ? [{ dtype: to, shape: x.shape }] : []),
  attributes: ([x], { to }) => (x ? { SrcT: { dtype: x.dtype }, DstT: { dtype: to }, Truncate: { bool: false } } : {}),
  gradient: ({ inputs: [x] }, dy) => (x && isFloat(x.dtype) ? [castBack(present(dy), x.dtype)] : []),
};

/** Casts a gradient, or takes what was of that type before it was rounded. */
function castBack(dy: Tensor, to: DType): Tensor {
  const [before] = dy.node.op === 'Cast' ? dy.node.inputs : [];
  return before?.dtype === to ? before : cast(dy, to);
}

const bitcastOp: OpDefinition<{ to: 'uint8' | 'float32' }> = {
  op: 'Bitcast',
  outputs: ([x], { to }) => {
    if (x?.dtype !== 'int32') throw new Error(`internal: bits are taken of int32, not of ${x}`);
    return [{ dtype: to, shape: to === 'uint8' ? [...x.shape, 4] : x.shape }];
  },
  attributes: (inputs, { to }) => ({ ...typeOf(inputs), type: { dtype: to } }),
  gradient: 'constant',
};

// A transposition's gradient is transposed by the inverse permutation.
const transposeOp: OpDefinition<{ permutation: readonly number[] }> = {
  op: 'Transpose',
  outputs: ([x], { permutation }) =>
    x ? [{ dtype: x.dtype, shape: permutation.map((axis) => x.shape[axis] ?? null) }] : [],
  attributes: (inputs) => ({ ...typeOf(inputs), Tperm: { dtype: 'int32' } }),
  gradient: ({ options: { permutation } }, dy) => [transpose(present(dy), invertPermutation(permutation))],
};

export type Paddings = readonly (readonly [before: number, after: number])[];

// A padding's gradient is cut back to the part that was there before.
const padOp: OpDefinition<{ paddings: Paddings }> = {
  op: 'PadV2',
  outputs: ([x], { paddings }) => {
    if (x?.shape.length !== paddings.length) throw new Error(`internal: ${paddings.length} paddings for ${x}`);
    const shape = x.shape.map((length, axis) => {
      const [before, after] = paddings[axis] ?? [0, 0];
      return length === null ? (before || after ? null : length) : length + before + after;
    });
    return [{ dtype: x.dtype, shape }];
  },
  attributes: (inputs) => ({ ...typeOf(inputs), Tpaddings: { dtype: 'int32' } }),
  gradient: ({ inputs: [x], options: { paddings } }, dy) => {
    if (!x) return [];
    const begin = intConstant(
      x.graph,
      paddings.map(([before]) => before),
    );
    return [slice(present(dy), begin, shapeOf(x), x.shape, paddings)];
  },
};

// A slice's gradient is padded with zeros to where it was cut; only slices with known `cuts` are differentiated.
const sliceOp: OpDefinition<{ shape: Shape; cuts: Paddings | undefined }> = {
  op: 'Slice',
  outputs: ([x], { shape }) => (x ? [{ dtype: x.dtype, shape }] : []),
  attributes: (inputs) => ({ ...typeOf(inputs), Index: { dtype: 'int32' } }),
  gradient: ({ options: { cuts } }, dy) => {
    if (!cuts) throw new Error('internal: a slice of unknown place has no gradient');
    return [pad(present(dy), cuts, zero(present(dy)))];
  },
};

interface AxisOption {
  axis: number;
}

// A concatenation's gradient is cut where its parts met.
const concatOp: OpDefinition<AxisOption> = {
  op: 'ConcatV2',
  outputs: (inputs, { axis }) => {
    const [first] = inputs;
    if (!first) throw new Error('internal: nothing to concatenate');
    const parts = inputs.slice(0, -1);
    const length = parts.reduce((total, part) => total + knownDimension(part.shape, axis), 0);
    for (const { dtype, shape } of parts) {
      const fits = shape.length === first.shape.length && shape.every((n, i) => i === axis || n === first.shape[i]);
      if (dtype !== first.dtype || !fits) throw new Error(`internal: ${parts.join(' and ')} do not concatenate`);
    }
    return [{ dtype: first.dtype, shape: first.shape.map((n, i) => (i === axis ? length : n)) }];
  },
  attributes: (inputs) => ({ ...typeOf(inputs), N: { int: inputs.length - 1 }, Tidx: { dtype: 'int32' } }),
  gradient: ({ inputs, options: { axis }, wanted }, upstream) => {
    const dy = present(upstream);
    let start = 0;
    return inputs.slice(0, -1).map((part, index) => {
      const length = knownDimension(part.shape, axis);
      start += length;
      return wanted[index] ? sliceAxis(dy, axis, start - length, length) : undefined;
    });
  },
};

// A split's gradient joins its parts' again; a part that nothing depends on adds zeros.
const splitOp: OpDefinition<AxisOption & { parts: number }> = {
  op: 'Split',
  outputs: ([, x], { axis, parts }) => {
    if (!x || knownDimension(x.shape, axis) % parts !== 0)
      throw new Error(`internal: ${x} has no ${parts} equal parts`);
    const shape = x.shape.map((length, i) => (i === axis ? knownDimension(x.shape, axis) / parts : length));
    return Array.from({ length: parts }, () => ({ dtype: x.dtype, shape }));
  },
  attributes: ([, x], { parts }) => (x ? { T: { dtype: x.dtype }, num_split: { int: parts } } : {}),
  gradient: ({ outputs, options: { axis } }, ...upstream) => [undefined, joinedAgain(outputs, upstream, axis)],
};

/** The gradient of what was split. */
function joinedAgain(parts: readonly Tensor[], upstream: readonly (Tensor | undefined)[], axis: number): Tensor {
  const filled = (part: Tensor) => broadcastTo(zero(part), shapeOf(part), part.shape);
  return concat(
    parts.map((part, index) => upstream[index] ?? filled(part)),
    axis,
  );
}

const splitSizesOp: OpDefinition<AxisOption & { sizes: readonly number[] }> = {
  op: 'SplitV',
  outputs: ([x], { axis, sizes }) => {
    if (!x || knownDimension(x.shape, axis) !== sizes.reduce((total, size) => total + size, 0))
      throw new Error(`internal: ${x} has no parts of the sizes ${sizes.join(', ')}`);
    return sizes.map((size) => ({ dtype: x.dtype, shape: x.shape.map((length, i) => (i === axis ? size : length)) }));
  },
  attributes: (inputs, { sizes }) => ({
    ...typeOf(inputs),
    num_split: { int: sizes.length },
    Tlen: { dtype: 'int32' },
  }),
  gradient: ({ outputs, options: { axis } }, ...upstream) => [joinedAgain(outputs, upstream, axis)],
};

// A reversal's gradient is reversed back.
const reverseOp: OpDefinition<{ axes: readonly number[] }> = {
  op: 'ReverseV2',
  outputs: ([x]) => (x ? [x] : []),
  attributes: (inputs) => ({ ...typeOf(inputs), Tidx: { dtype: 'int32' } }),
  gradient: ({ options: { axes } }, dy) => [reverse(present(dy), axes)],
};

export const arrayOps: OpFamily = [
  shapeOp,
  sizeOp,
  reshapeOp,
  broadcastToOp,
  castOp,
  bitcastOp,
  transposeOp,
  padOp,
  sliceOp,
  concatOp,
  splitOp,
  splitSizesOp,
  reverseOp,
];

/** The shape as an int32 vector: a constant where all of it is known, else taken from the running graph. */
export function shapeOf(x: Tensor): Tensor {
  const known = x.shape.filter((length) => length !== null);
  return known.length === x.shape.length ? intConstant(x.graph, known) : apply(shapeOp, [x], {});
}

/** The same elements in the opposite order along `axes`. */
export function reverse(x: Tensor, axes: readonly number[]): Tensor {
  return apply(reverseOp, [x, intConstant(x.graph, axes)], { axes });
}

/** The number of elements, int32. */
export function size(x: Tensor): Tensor {
  return apply(sizeOp, [x], {});
}

/** The same elements in another shape, of which at most one dimension may be unknown. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  if (shape.filter((length) => length === null).length > 1) {
    throw new Error(`internal: ${formatShape(shape)} has more than one unknown dimension`);
  }
  const target = intConstant(
    x.graph,
    shape.map((length) => length ?? -1),
  );
  return reshapeTo(x, target, shape);
}

function reshapeLike(x: Tensor, other: Tensor): Tensor {
  return reshapeTo(x, shapeOf(other), other.shape);
}

/** Reshapes to an int32 vector whose static value is `shape`. */
export function reshapeTo(x: Tensor, target: Tensor, shape: Shape): Tensor {
  return apply(reshapeOp, [x, target], { shape });
}

/** Repeats `x` along axes of size 1 (or missing leading ones) up to `target`, whose static value is `shape`. */
export function broadcastTo(x: Tensor, target: Tensor, shape: Shape): Tensor {
  return apply(broadcastToOp, [x, target], { shape });
}

/** Converts to another type; the tensor itself where it has that type already. */
export function cast(x: Tensor, to: DType): Tensor {
  return x.dtype === to ? x : apply(castOp, [x], { to });
}

/** The bytes of an int32 tensor as uint8, with one more axis of length 4. */
export function bytesOf(x: Tensor): Tensor {
  return apply(bitcastOp, [x], { to: 'uint8' });
}

/** The float32 numbers whose bits an int32 tensor holds. */
export function floatsOf(x: Tensor): Tensor {
  return apply(bitcastOp, [x], { to: 'float32' });
}

/** Axis i of the result is axis `permutation[i]` of `x`. */
export function transpose(x: Tensor, permutation: readonly number[]): Tensor {
  return apply(transposeOp, [x, intConstant(x.graph, permutation)], { permutation });
}

export function invertPermutation(permutation: readonly number[]): number[] {
  return permutation.map((_, axis) => permutation.indexOf(axis));
}

/** Adds `value` (a scalar of x's type, zero by default) before and after each axis. */
export function pad(x: Tensor, paddings: Paddings, value: Tensor = zero(x)): Tensor {
  return apply(padOp, [x, intConstant(x.graph, paddings.flat(), [paddings.length, 2]), value], { paddings });
}

/**
 * The part of `x` that starts at `begin` and has `sizes` elements along each axis; both int32 vectors. `shape` is the
 * result's static shape, `cuts` what was cut off before and after each axis where that is known.
 */
export function slice(x: Tensor, begin: Tensor, sizes: Tensor, shape: Shape, cuts?: Paddings): Tensor {
  return apply(sliceOp, [x, begin, sizes], { shape, cuts });
}

/** `length` elements of one axis from `start` on, and all of the other axes. */
function sliceAxis(x: Tensor, axis: number, start: number, length: number): Tensor {
  const { graph, shape } = x;
  // A size of -1 is the rest of an axis.
  const sizes = shape.map((_, i) => (i === axis ? length : -1));
  const begin = shape.map((_, i) => (i === axis ? start : 0));
  const after = knownDimension(shape, axis) - start - length;
  return slice(
    x,
    intConstant(graph, begin),
    intConstant(graph, sizes),
    shape.map((n, i) => (i === axis ? length : n)),
    shape.map((_, i) => (i === axis ? [start, after] : [0, 0])),
  );
}

/** Joins tensors that are alike but for the length of one axis. */
export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const [first] = parts;
  if (!first) throw new Error('internal: nothing to concatenate');
  return parts.length === 1 ? first : apply(concatOp, [...parts, intConstant(first.graph, axis)], { axis });
}

/** Cuts one axis into equal parts. */
export function split(x: Tensor, parts: number, axis: number): readonly Tensor[] {
  return applyAll(splitOp, [intConstant(x.graph, axis), x], { axis, parts }).outputs;
}

/** Cuts one axis into parts of these sizes, which make it up. */
export function splitSizes(x: Tensor, sizes: readonly number[], axis: number): readonly Tensor[] {
  const inputs = [x, intConstant(x.graph, sizes), intConstant(x.graph, axis)];
  return applyAll(splitSizesOp, inputs, { axis, sizes }).outputs;
}

function zero(x: Tensor): Tensor {
  return cast(intConstant(x.graph, 0), x.dtype);
}
