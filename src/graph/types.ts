// Data types and shapes, as TensorFlow knows them.

/** Numbers of TensorFlow's DataType enum (tensorflow/core/framework/types.proto). */
export const dtypeCodes = {
  float32: 1,
  int32: 3,
  uint8: 4,
  int64: 9,
  bool: 10,
  bfloat16: 14,
  float16: 19,
  resource: 20,
} as const;

export type DType = keyof typeof dtypeCodes;

/** Bytes of one element on a CPU or GPU; a resource is a handle. */
export const dtypeBytes: Readonly<Record<DType, number>> = {
  float32: 4,
  int32: 4,
  uint8: 1,
  int64: 8,
  bool: 1,
  bfloat16: 2,
  float16: 2,
  resource: 0,
};

/** The floating-point types in which a network can compute. */
export type FloatType = 'float32' | 'bfloat16' | 'float16';

export function isFloat(dtype: DType): dtype is FloatType {
  return dtype === 'float32' || dtype === 'bfloat16' || dtype === 'float16';
}

/** A dimension's size, or `null` where only the running graph knows it (the batch). */
export type Dimension = number | null;

export type Shape = readonly Dimension[];

export interface TensorType {
  dtype: DType;
  shape: Shape;
}

export function formatShape(shape: Shape): string {
  return `[${shape.map((size) => size ?? '?').join(', ')}]`;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** The product of all sizes. Throws where one is unknown. */
export function elementCount(shape: Shape): number {
  return shape.reduce<number>((product, size) => {
    if (size === null) throw new Error(`internal: ${formatShape(shape)} has no fixed number of elements`);
    return product * size;
  }, 1);
}

/** Size of one axis; negative axes count from the end. Throws where there is no such axis. */
export function dimension(shape: Shape, axis: number): Dimension {
  const size = shape.at(axis);
  if (size === undefined) throw new Error(`internal: ${formatShape(shape)} has no axis ${axis}`);
  return size;
}

/** As `dimension`, for an axis whose size must be known when the graph is built. */
export function knownDimension(shape: Shape, axis: number): number {
  const size = dimension(shape, axis);
  if (size === null) throw new Error(`internal: axis ${axis} of ${formatShape(shape)} must have a known size`);
  return size;
}

/** The shape of an elementwise operation's result (NumPy's broadcasting rules). */
export function broadcastShapes(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis): Dimension => {
    const left = a[axis - (rank - a.length)] ?? (axis < rank - a.length ? 1 : null);
    const right = b[axis - (rank - b.length)] ?? (axis < rank - b.length ? 1 : null);
    if (left === right || right === 1) return left;
    if (left === 1) return right;
    throw new Error(`internal: ${formatShape(a)} and ${formatShape(b)} do not broadcast`);
  });
}
