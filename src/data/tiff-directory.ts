// Reads the first directory of a TIFF file, or of an EXIF block, which is one
// (https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf, section 2).

import { viewOf } from './bytes.js';

/** What one entry says. */
export interface TiffEntry {
  values: readonly number[];
  /** Where its values lie in the file. */
  at: number;
  /** Bytes of each. */
  valueBytes: 1 | 2 | 4;
}

export interface TiffDirectory {
  littleEndian: boolean;
  /** By tag: those made of a few whole numbers. */
  entries: ReadonlyMap<number, TiffEntry>;
}

/** BYTE, SHORT and LONG. */
const bytesOfType = new Map<number, 1 | 2 | 4>([
  [1, 1],
  [3, 2],
  [4, 4],
]);

const mostValues = 16;

/** Reads it, of BigTIFF as well. Undefined for what is no TIFF or ends too early. */
export function readTiffDirectory(bytes: Uint8Array): TiffDirectory | undefined {
  const view = viewOf(bytes);
  try {
    return read(view);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function read(view: DataView): TiffDirectory | undefined {
  const order = view.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) return undefined;
  const littleEndian = order === 0x4949;
  const short = (at: number) => view.getUint16(at, littleEndian);
  const long = (at: number) => view.getUint32(at, littleEndian);
  const version = short(2);
  if (version !== 42 && version !== 43) return undefined;
  const big = version === 43;
  const offset = (at: number) => (big ? Number(view.getBigUint64(at, littleEndian)) : long(at));
  const directory = offset(big ? 8 : 4);
  const count = big ? offset(directory) : short(directory);
  const first = directory + (big ? 8 : 2);
  const entryBytes = big ? 20 : 12;
  const entries = new Map<number, TiffEntry>();
  for (let i = 0; i < count; i++) {
    const entry = first + i * entryBytes;
    const valueBytes = bytesOfType.get(short(entry + 2));
    const valueCount = offset(entry + 4);
    if (valueBytes === undefined || valueCount > mostValues) continue;
    const own = entry + (big ? 12 : 8);
    const at = valueBytes * valueCount <= (big ? 8 : 4) ? own : offset(own);
    const number = { 1: (from: number) => view.getUint8(from), 2: short, 4: long }[valueBytes];
    const values = Array.from({ length: valueCount }, (_, position) => number(at + position * valueBytes));
    entries.set(short(entry), { values, at, valueBytes });
  }
  return { littleEndian, entries };
}
