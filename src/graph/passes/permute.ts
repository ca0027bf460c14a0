// Moving the axes of numbers in memory.

/** Row-major `data` of `shape` with axis i of the result being axis `permutation[i]`: what the op Transpose computes. */
export function permute<T extends Float32Array | Int32Array>(
  data: T,
  shape: readonly number[],
  permutation: readonly number[],
): T {
  const strides = stridesOf(shape);
  const axes = permutation.map((axis) => ({ length: shape[axis] ?? 0, stride: strides[axis] ?? 0 }));
  const last = axes.pop() ?? { length: 1, stride: 0 };
  const moved = data.slice() as T;
  const index = axes.map(() => 0);
  let start = 0;
  for (let to = 0; to < moved.length; ) {
    for (let i = 0, from = start; i < last.length; i++, from += last.stride) moved[to++] = data[from] ?? 0;
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      const { length, stride } = axes[axis] ?? last;
      const next = (index[axis] ?? 0) + 1;
      start += stride;
      if (next < length) {
        index[axis] = next;
        break;
      }
      start -= length * stride;
      index[axis] = 0;
    }
  }
  return moved;
}

/** How far apart neighbours along each axis lie. */
function stridesOf(shape: readonly number[]): number[] {
  let stride = 1;
  return shape
    .toReversed()
    .map((length) => {
      const own = stride;
      stride *= length;
      return own;
    })
    .toReversed();
}
