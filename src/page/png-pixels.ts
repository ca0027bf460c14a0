// Pixels of PNG files, as Pillow has them. Browsers change some before a page can see them: they multiply colours by the
// alpha beside them, and make 8 bits of 16 in ways of their own. Filters and passes: https://www.w3.org/TR/png-3/.

import { viewOf } from '../data/bytes.js';
import { Refusal } from '../data/refusal.js';
import type { Bytes } from './file-edits.js';
import { inflate } from './inflate.js';
import { type Chunk, chunksOf } from './png-file.js';

/** Red, green, blue and full opacity, [height, width, 4]. */
export interface Pixels {
  width: number;
  height: number;
  data: Uint8ClampedArray<ArrayBuffer>;
}

interface Header {
  width: number;
  height: number;
  /** Bits of each sample: 1, 2, 4, 8 or 16. */
  depth: number;
  samples: number;
  /** Red, green, blue of each of its colours; undefined where it has none. */
  palette: Bytes | undefined;
  isInterlaced: boolean;
}

/** By PNG's colour type: grey, RGB, palette, and the first two with alpha. */
const samplesOf = new Map([
  [0, 1],
  [2, 3],
  [3, 1],
  [4, 2],
  [6, 4],
]);

/** Transparency is dropped. Rejects with a Refusal for a damaged file. */
export async function pngPixels(file: Bytes): Promise<Pixels> {
  const chunks = [...chunksOf(file)];
  const header = readHeader(chunks);
  const passes = passesOf(header);
  const packed = chunks.filter(({ name }) => name === 'IDAT').map(({ content }) => content);
  const bytes = passes.reduce((sum, { rows, rowBytes }) => sum + rows * (1 + rowBytes), 0);
  const filtered = await inflate(packed, bytes);
  const { width, height } = header;
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  const step = Math.max(1, (header.depth * header.samples) >> 3);
  let at = 0;
  for (const pass of passes) {
    let above = new Uint8Array(pass.rowBytes);
    for (let row = 0; row < pass.rows; row++, at += 1 + pass.rowBytes) {
      const line = filtered.subarray(at + 1, at + 1 + pass.rowBytes);
      unfilter(line, above, filtered[at] ?? 0, step);
      put(inBytes(line, header), header, data, pass, row);
      above = line;
    }
  }
  return { width, height, data };
}

function readHeader(chunks: readonly Chunk[]): Header {
  const [first] = chunks;
  const palette = chunks.find(({ name }) => name === 'PLTE')?.content;
  if (first?.name !== 'IHDR' || first.content.length < 13) throw damaged();
  const view = viewOf(first.content);
  const type = view.getUint8(9);
  const samples = samplesOf.get(type);
  if (samples === undefined || (type === 3 && !palette)) throw damaged();
  return {
    ...{ width: view.getUint32(0), height: view.getUint32(4), depth: view.getUint8(8), samples },
    palette: type === 3 ? palette : undefined,
    isInterlaced: view.getUint8(12) === 1,
  };
}

const damaged = () => new Refusal('a truncated or damaged file');

/** Pixels that stand together in the file: every `across`-th of every `down`-th row. */
interface Pass {
  left: number;
  top: number;
  across: number;
  down: number;
  columns: number;
  rows: number;
  rowBytes: number;
}

const wholeImage = [[0, 0, 1, 1]] as const;
/** Adam7. */
const sevenPasses = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** Those that have pixels. */
function passesOf({ width, height, depth, samples, isInterlaced }: Header): readonly Pass[] {
  return (isInterlaced ? sevenPasses : wholeImage)
    .map(([left, top, across, down]) => {
      const columns = Math.ceil((width - left) / across);
      const rows = Math.ceil((height - top) / down);
      return { left, top, across, down, columns, rows, rowBytes: Math.ceil((columns * samples * depth) / 8) };
    })
    .filter(({ columns, rows }) => columns > 0 && rows > 0);
}

/** Adds to each byte of a row what its filter predicts from the bytes to the left, `step` away, and above. */
function unfilter(line: Bytes, above: Bytes, filter: number, step: number): void {
  const predict = predictions[filter];
  if (!predict) throw damaged();
  if (filter === 0) return;
  for (let i = 0; i < line.length; i++) {
    const isFirst = i < step;
    const left = isFirst ? 0 : (line[i - step] ?? 0);
    line[i] = (line[i] ?? 0) + predict(left, above[i] ?? 0, isFirst ? 0 : (above[i - step] ?? 0));
  }
}

const predictions: readonly ((left: number, up: number, upLeft: number) => number)[] = [
  () => 0,
  (left) => left,
  (_, up) => up,
  (left, up) => (left + up) >> 1,
  (left, up, upLeft) => {
    const [toLeft, toUp, toBoth] = [Math.abs(up - upLeft), Math.abs(left - upLeft), Math.abs(left + up - 2 * upLeft)];
    if (toLeft <= toUp && toLeft <= toBoth) return left;
    return toUp <= toBoth ? up : upLeft;
  },
];

/** A row with one byte a sample: grey of few bits is stretched, of 16 clipped; other samples of 16 keep the upper 8. */
function inBytes(line: Bytes, { depth, samples, palette }: Header): Bytes {
  if (depth === 8) return line;
  if (depth === 16) {
    const isClipped = samples === 1;
    return Uint8Array.from({ length: line.length / 2 }, (_, i) => {
      const upper = line[2 * i] ?? 0;
      if (!isClipped) return upper;
      return upper > 0 ? 255 : (line[2 * i + 1] ?? 0);
    });
  }
  const most = 2 ** depth - 1;
  const stretch = palette ? 1 : 255 / most;
  const inByte = 8 / depth;
  return Uint8Array.from({ length: line.length * inByte }, (_, i) => {
    const shift = 8 - depth * ((i % inByte) + 1);
    return (((line[Math.floor(i / inByte)] ?? 0) >> shift) & most) * stretch;
  });
}

/** Puts a row of a pass in its place. */
function put(line: Bytes, { width, samples, palette }: Header, data: Uint8ClampedArray, pass: Pass, row: number): void {
  const source = palette ?? line;
  /** Of green and blue behind red, in the source. */
  const [green, blue] = palette || samples > 2 ? [1, 2] : [0, 0];
  const step = pass.across * 4;
  let to = ((pass.top + row * pass.down) * width + pass.left) * 4;
  for (let column = 0, from = 0; column < pass.columns; column++, from += samples, to += step) {
    const at = palette ? (line[from] ?? 0) * 3 : from;
    data[to] = source[at] ?? 0;
    data[to + 1] = source[at + green] ?? 0;
    data[to + 2] = source[at + blue] ?? 0;
  }
}
