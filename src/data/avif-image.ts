// What Pillow makes of an AVIF and libvips does not: it shows the first picture of a sequence, and it turns nothing
// unless it is asked to. What stands in a file as a rotation and a mirroring (ISO/IEC 23008-12, 6.5.10 and 6.5.12) it
// tells as an EXIF orientation, whatever EXIF itself says.

import { putText, textAt, viewOf } from './bytes.js';

/** An AVIF file that can be handed to libvips. */
export interface AvifImage {
  /** The file as a single picture that is not turned. */
  file: Uint8Array<ArrayBuffer>;
  /** How it is to be turned, as EXIF's orientation: 1, not at all, to 8. */
  orientation: number;
}

interface Box {
  type: string;
  start: number;
  /** Where its content begins. */
  content: number;
  end: number;
}

/** Boxes that hold others, and how many bytes of their own stand before those. */
const containers = new Map([
  ['meta', 4],
  ['iprp', 0],
  ['ipco', 0],
]);

/** True for a file that begins as AVIF and its relatives do. */
export function looksLikeAvif(file: Uint8Array): boolean {
  return textAt(file, 4, 8) === 'ftyp';
}

export function readAvifImage(file: Uint8Array): AvifImage {
  const changed = new Uint8Array(file);
  if (textAt(changed, 8, 12) === 'avis') putText(changed, 8, 'avif');
  let quarters = 0;
  let axis: number | undefined;
  for (const { type, start, content } of boxes(file, 0, file.length)) {
    if (type === 'irot') quarters = (file[content] ?? 0) & 3;
    else if (type === 'imir') axis = (file[content] ?? 0) & 1;
    else continue;
    // A rotation by nothing.
    putText(changed, start + 4, 'irot');
    changed[content] = 0;
  }
  return { file: changed, orientation: orientation(quarters, axis) };
}

/** Quarters are counterclockwise and come first; axis 0 exchanges top and bottom, 1 left and right. */
function orientation(quarters: number, axis: number | undefined): number {
  const byAxis = { none: [1, 8, 3, 6], 0: [4, 5, 2, 7], 1: [2, 7, 4, 5] };
  const row = axis === undefined ? byAxis.none : axis === 0 ? byAxis[0] : byAxis[1];
  return row[quarters] ?? 1;
}

function* boxes(file: Uint8Array, from: number, to: number): Generator<Box> {
  const view = viewOf(file);
  for (let start = from; start + 8 <= to; ) {
    const bytes = view.getUint32(start);
    const type = textAt(file, start + 4, start + 8);
    const end = bytes === 0 ? to : start + bytes;
    if (bytes === 1 || end > to || end < start + 8) return;
    const own = containers.get(type);
    if (own === undefined) {
      if (end > start + 8) yield { type, start, content: start + 8, end };
    } else {
      yield* boxes(file, start + 8 + own, end);
    }
    start = end;
  }
}
