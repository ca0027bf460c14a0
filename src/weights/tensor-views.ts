// From views of storages to tensors of their own. Each storage is read once, and only as much of it as is looked at.

import { elementCount } from '../graph/types.js';
import { elementBytes, toFloat32 } from './element-types.js';
import type { FileBytes } from './file-bytes.js';
import { brokenFile, refusedContent, shown } from './file-errors.js';
import type { StateDict, StoredTensor } from './state-dict.js';
import type { Storage, TensorView } from './torch-objects.js';

/** Views may repeat values (expanded ones do), but beyond this number there must be a byte in the file for each. */
const freeElements = 2 ** 20;

/**
 * Reads views as float32, row-major, in their order. `locate` says at which byte a storage starts. Throws a `UserError`
 * where a view goes past its storage, or where there is more to read than the file can hold.
 */
export async function readViews(
  file: FileBytes,
  views: ReadonlyMap<string, TensorView>,
  locate: (storage: Storage) => Promise<number>,
): Promise<StateDict> {
  const groups = groupByStorage(file, views);
  const tensors = new Map<string, StoredTensor>();
  for (const [storage, group] of groups) {
    const { first, last } = extent(group.values());
    const size = elementBytes[storage.type];
    const start = (await locate(storage)) + first * size;
    const values = toFloat32(await file.read(start, (last - first + 1) * size), storage.type);
    for (const [name, view] of group) tensors.set(name, { shape: [...view.shape], data: gather(values, view, first) });
  }
  const data = new Float32Array(0);
  return new Map([...views].map(([name, { shape }]) => [name, tensors.get(name) ?? { shape: [...shape], data }]));
}

/** Views with elements, by what they look at. All have proved to lie inside, and to be no more than the file can hold. */
function groupByStorage(
  file: FileBytes,
  views: ReadonlyMap<string, TensorView>,
): Map<Storage, Map<string, TensorView>> {
  const groups = new Map<Storage, Map<string, TensorView>>();
  let elements = 0;
  for (const [name, view] of views) {
    const count = elementCount(view.shape);
    if (count === 0) continue;
    if (lastElement(view) >= view.storage.count) {
      throw brokenFile(file.path, `${shown(name)} past the end of its storage`, 'PyTorch');
    }
    elements += count;
    const group = groups.get(view.storage);
    if (group) group.set(name, view);
    else groups.set(view.storage, new Map([[name, view]]));
  }
  const bytes = [...groups.keys()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  if (bytes > file.size) throw brokenFile(file.path, `storages of ${bytes} bytes in a file of ${file.size}`, 'PyTorch');
  if (elements > Math.max(file.size, freeElements)) {
    throw refusedContent(file.path, `${elements} values in a file of ${file.size} bytes`);
  }
  return groups;
}

/** The furthest element of the storage that a view without a zero in its shape looks at. */
function lastElement({ offset, shape, strides }: TensorView): number {
  return shape.reduce((index, size, axis) => index + (size - 1) * (strides[axis] ?? 0), offset);
}

function extent(views: Iterable<TensorView>): { first: number; last: number } {
  let [first, last] = [Number.POSITIVE_INFINITY, 0];
  for (const view of views) {
    first = Math.min(first, view.offset);
    last = Math.max(last, lastElement(view));
  }
  return { first, last };
}

/** A view's values, row-major; `first` is the storage's element at which `values` starts. */
function gather(values: Float32Array, view: TensorView, first: number): Float32Array {
  const count = elementCount(view.shape);
  const start = view.offset - first;
  if (isContiguous(view)) return count === values.length ? values : values.slice(start, start + count);
  const result = new Float32Array(count);
  const { shape, strides } = view;
  const lastAxis = shape.length - 1;
  const [rowLength, rowStride] = [shape[lastAxis] ?? 1, strides[lastAxis] ?? 0];
  // A counter of one digit an axis, but for the last axis, which the inner loop goes along.
  const position = shape.map(() => 0);
  let from = start;
  for (let to = 0; to < count; ) {
    for (let column = 0; column < rowLength; column++) result[to++] = values[from + column * rowStride] ?? 0;
    for (let axis = lastAxis - 1; axis >= 0; axis--) {
      const next = (position[axis] ?? 0) + 1;
      from += strides[axis] ?? 0;
      position[axis] = next;
      if (next < (shape[axis] ?? 1)) break;
      from -= next * (strides[axis] ?? 0);
      position[axis] = 0;
    }
  }
  return result;
}

function isContiguous({ shape, strides }: TensorView): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    if (size !== 1 && strides[axis] !== expected) return false;
    expected *= size;
  }
  return true;
}
