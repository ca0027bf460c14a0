// A million paths as whole strings would take hundreds of megabytes: a list keeps each folder once and joins on access.

/** An image file and the index of its class. */
export interface LabelledImage {
  path: string;
  label: number;
}

/** A fixed sequence of labelled images. */
export interface ImageList {
  readonly length: number;
  /** The image at 0 <= index < length. */
  at(index: number): LabelledImage;
}

/** The files of one folder, all of one class. */
export interface ImageGroup {
  folder: string;
  label: number;
  names: readonly string[];
}

/** The images of several folders, one folder after the other. */
export function groupedImages(groups: readonly ImageGroup[]): ImageList {
  const kept = groups.filter((group) => group.names.length > 0);
  const starts: number[] = [];
  let length = 0;
  for (const group of kept) {
    starts.push(length);
    length += group.names.length;
  }
  return {
    length,
    at(index) {
      const position = lastAtMost(starts, index);
      const group = kept[position];
      const name = group?.names[index - (starts[position] ?? 0)];
      if (group === undefined || name === undefined) throw outOfRange(index, length);
      return { path: `${group.folder}/${name}`, label: group.label };
    },
  };
}

/** The images of `list` at the given indices, in their order. */
export function imageSubset(list: ImageList, indices: Uint32Array): ImageList {
  return {
    length: indices.length,
    at(index) {
      const original = indices[index];
      if (original === undefined) throw outOfRange(index, indices.length);
      return list.at(original);
    },
  };
}

/** All indices of a list of so many images, from the first to the last. */
export function inListOrder(length: number): Uint32Array {
  return Uint32Array.from({ length }, (_, index) => index);
}

function outOfRange(index: number, length: number): Error {
  return new Error(`internal: image ${index} of a list of ${length}`);
}

/** Position of the last number that is at most `value` in an ascending list; -1 if there is none. */
function lastAtMost(ascending: readonly number[], value: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] ?? Infinity) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
