// What Pillow makes of an AVIF and libvips does not: it shows the first picture of a sequence, and it turns nothing
// unless it is asked to. What stands in a file as a rotation and a mirroring (ISO/IEC 23008-12, 6.5.10 and 6.5.12) it
// tells as an EXIF orientation, whatever EXIF itself says.

/** An AVIF file that can be handed to libvips. */
export interface AvifImage {
  /** The file as a single picture that is not turned. */
  file: Buffer;
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
export function looksLikeAvif(file: Buffer): boolean {
  return file.toString('latin1', 4, 8) === 'ftyp';
}

export function readAvifImage(file: Buffer): AvifImage {
  const changed = Buffer.from(file);
  if (changed.toString('latin1', 8, 12) === 'avis') changed.write('avif', 8, 'latin1');
  let quarters = 0;
  let axis: number | undefined;
  for (const { type, start, content } of boxes(file, 0, file.length)) {
    if (type === 'irot') quarters = file.readUInt8(content) & 3;
    else if (type === 'imir') axis = file.readUInt8(content) & 1;
    else continue;
    // A rotation by nothing.
    changed.write('irot', start + 4, 'latin1');
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

function* boxes(file: Buffer, from: number, to: number): Generator<Box> {
  for (let start = from; start + 8 <= to; ) {
    const bytes = file.readUInt32BE(start);
    const type = file.toString('latin1', start + 4, start + 8);
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
