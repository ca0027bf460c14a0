// PyTorch's padding of convolutions and pools in TensorFlow's terms. PyTorch adds the same number of pixels on both sides;
// TensorFlow's fast kernels know none (VALID) or as many as there are windows for (SAME), which are the same only at times.

import type { Tensor } from '../graph/graph.js';
import { pad } from '../graph/ops/array.js';
import { knownDimension } from '../graph/types.js';

/** Height and width, or both in one number. */
export type Pair = number | readonly [height: number, width: number];

export interface Window {
  kernel: Pair;
  stride: number;
  /** Pixels added on both sides of each axis. */
  padding: Pair;
  dilation?: number;
  /** A last window that only begins within the image counts too. */
  ceilMode?: boolean;
}

/** The images and the way to call TensorFlow's kernel on them; `fill` makes the value with which they are padded. */
export function placeWindow(
  x: Tensor,
  window: Window,
  { fill, allowSame = true }: { fill?: () => Tensor; allowSame?: boolean } = {},
): { x: Tensor; padding: 'SAME' | 'VALID' } {
  const rows = axisPadding(knownDimension(x.shape, 1), window, 0);
  const columns = axisPadding(knownDimension(x.shape, 2), window, 1);
  if ([rows, columns].every(({ before, after }) => before === 0 && after === 0)) return { x, padding: 'VALID' };
  if (allowSame && rows.isSame && columns.isSame) return { x, padding: 'SAME' };
  const paddings = [
    [0, 0],
    [rows.before, rows.after],
    [columns.before, columns.after],
    [0, 0],
  ] as const;
  return { x: pad(x, paddings, fill?.()), padding: 'VALID' };
}

/** Zeros at the top, bottom, left and right of the images, for kernels to which they can be told. */
export function paddingOf(
  x: Tensor,
  { padding, ...window }: Omit<Window, 'padding'> & { padding: Pair | 'same' },
): [top: number, bottom: number, left: number, right: number] {
  const [rows, columns] = ([0, 1] as const).map((axis) => {
    const length = knownDimension(x.shape, axis + 1);
    if (padding !== 'same') return axisPadding(length, { ...window, padding }, axis);
    return samePadding(length, extentOf(window, axis), window.stride);
  });
  return [rows?.before ?? 0, rows?.after ?? 0, columns?.before ?? 0, columns?.after ?? 0];
}

/** Whether there is a window of 3 x 3 pixels around each pixel, zeros beyond the edges. */
export function isPlain3x3({
  kernel,
  stride,
  padding,
  dilation = 1,
}: Omit<Window, 'padding'> & { padding: Pair | 'same' }): boolean {
  const isPadded = padding === 'same' || pairOf(padding).every((pixels) => pixels === 1);
  return pairOf(kernel).every((length) => length === 3) && isPadded && stride === 1 && dilation === 1;
}

/** How many pixels the windows reach beyond each end of an axis, and whether SAME would add just as many. */
export function axisPadding(
  length: number,
  { kernel, stride, padding, dilation = 1, ceilMode = false }: Window,
  axis: 0 | 1,
): { before: number; after: number; isSame: boolean } {
  const before = pairOf(padding)[axis];
  const extent = extentOf({ kernel, dilation }, axis);
  const room = (length + 2 * before - extent) / stride;
  let positions = (ceilMode ? Math.ceil(room) : Math.floor(room)) + 1;
  if (ceilMode && (positions - 1) * stride >= length + before) positions -= 1;
  if (positions < 1) throw new Error(`internal: a window of ${extent} does not fit into a length of ${length}`);
  const after = Math.max((positions - 1) * stride + extent - length - before, 0);

  const same = samePadding(length, extent, stride);
  return { before, after, isSame: same.positions === positions && same.before === before };
}

/** What TensorFlow adds for SAME, the odd pixel behind. */
function samePadding(length: number, extent: number, stride: number) {
  const positions = Math.ceil(length / stride);
  const total = Math.max((positions - 1) * stride + extent - length, 0);
  return { positions, before: Math.floor(total / 2), after: Math.ceil(total / 2) };
}

/** Pixels from the first to the last that a window sees. */
function extentOf({ kernel, dilation = 1 }: Pick<Window, 'kernel' | 'dilation'>, axis: 0 | 1): number {
  return (pairOf(kernel)[axis] - 1) * dilation + 1;
}

export function pairOf(value: Pair): readonly [height: number, width: number] {
  return typeof value === 'number' ? [value, value] : value;
}
