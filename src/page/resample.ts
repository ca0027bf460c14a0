// The square that a network sees of an image: torchvision's Resize and CenterCrop on Pillow's pixels, to the bit, as
// src/tensorflow/native/resample.cc makes it in training. A browser's own scaling is another one.

import type { Preprocessing } from '../data/preprocessing.js';

export type SquareShape = Pick<Preprocessing, 'resize' | 'crop' | 'interpolation'>;

/** An image whose rows can be had piece by piece. Sizes in pixels. */
export interface PixelRows {
  width: number;
  height: number;
  /** Red, green, blue and opacity of some rows, [count, width, 4]. */
  read(first: number, count: number): ArrayLike<number>;
}

/** Rows are read in pieces of so many pixels, so that large photographs are not in memory whole. */
const piecePixels = 2 ** 21;

/** Red, green, blue bytes, [crop, crop, 3]. Opacity is dropped. */
export function squareOf(image: PixelRows, { resize, crop, interpolation }: SquareShape): Uint8Array<ArrayBuffer> {
  const target = resizedShape(image, resize);
  const columns = windowsOf({ source: image.width, target: target.width, crop, interpolation });
  const rows = windowsOf({ source: image.height, target: target.height, crop, interpolation });
  const inPieces = eachPiece(image, spanOf(rows));
  return isRowsFirst(image, target)
    ? across(down(inPieces, rows, spanOf(columns)), columns)
    : downAfterAcross(inPieces, rows, columns);
}

/** The part of an image that the square shows, in the image's pixels. */
export function shownPart({ width, height }: { width: number; height: number }, { resize, crop }: SquareShape) {
  const side = (crop / resize) * Math.min(width, height);
  return { left: (width - side) / 2, top: (height - side) / 2, side };
}

interface Shape {
  width: number;
  height: number;
}

/** The shorter side has `resize` pixels; the longer one is truncated to whole ones. */
function resizedShape({ width, height }: Shape, resize: number): Shape {
  return width <= height
    ? { width: resize, height: Math.floor((resize * height) / width) }
    : { width: Math.floor((resize * width) / height), height: resize };
}

/** Pillow 13 begins with the rows where more than twice as many of them vanish as columns do. */
function isRowsFirst(source: Shape, target: Shape): boolean {
  return source.height - target.height > 2 * Math.max(0, source.width - target.width);
}

/** The source pixels that one output pixel is made of, and their weights as whole numbers. */
interface Window {
  first: number;
  weights: Int32Array;
}

/** 8 bits of 32 are the pixel's, 2 are room for filters that overshoot, the rest is the weight's. */
const precisionBits = 22;
const half = 2 ** (precisionBits - 1);

interface Axis {
  source: number;
  target: number;
  crop: number;
  interpolation: SquareShape['interpolation'];
}

/** The windows of the `crop` pixels in the middle of an axis. */
function windowsOf({ source, target, crop, interpolation }: Axis): Window[] {
  const { radius, weight } = filters[interpolation];
  const scale = source / target;
  const filterScale = Math.max(scale, 1);
  // A product with the inverse, as Pillow has it: a quotient rounds differently.
  const inverse = 1 / filterScale;
  const support = radius * filterScale;
  const start = halfToEven(target - crop);
  return Array.from({ length: crop }, (_, index) => {
    const centre = (start + index + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(source, Math.trunc(centre + support + 0.5));
    const shares = Array.from({ length: end - first }, (_, i) => weight((first + i - centre + 0.5) * inverse));
    const sum = shares.reduce((total, share) => total + share, 0);
    return { first, weights: Int32Array.from(shares, (share) => toFixedPoint(sum === 0 ? share : share / sum)) };
  });
}

function toFixedPoint(share: number): number {
  const fixed = share * 2 ** precisionBits;
  return Math.trunc(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
}

/** Half of a whole number, rounded to the even neighbour as Python's round() does. */
function halfToEven(value: number): number {
  const floor = Math.trunc(value / 2);
  return value % 2 === 0 || floor % 2 === 0 ? floor : floor + 1;
}

/** The triangle, and Keys' cubic with a = -0.5. */
const filters: Readonly<Record<SquareShape['interpolation'], { radius: number; weight(x: number): number }>> = {
  bilinear: { radius: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: {
    radius: 2,
    weight: (signed) => {
      const x = Math.abs(signed);
      const a = -0.5;
      if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
    },
  },
};

/** Pixels from the first to before the end. */
interface Span {
  first: number;
  end: number;
}

function spanOf(windows: readonly Window[]): Span {
  return {
    first: Math.min(...windows.map(({ first }) => first)),
    end: Math.max(...windows.map(({ first, weights }) => first + weights.length)),
  };
}

/** Consecutive rows of an image, [count, width, 4]. */
interface Piece {
  pixels: ArrayLike<number>;
  first: number;
  count: number;
  width: number;
}

function* eachPiece({ width, read }: PixelRows, { first, end }: Span): Generator<Piece> {
  const most = Math.max(1, Math.floor(piecePixels / width));
  for (let row = first; row < end; row += most) {
    const count = Math.min(most, end - row);
    yield { pixels: read(row, count), first: row, count, width };
  }
}

/** Rows of bytes, [.., width, 3], of which column 0 is the image's column `first`. */
interface Rows {
  bytes: Uint8ClampedArray<ArrayBuffer>;
  width: number;
  first: number;
}

/** One row for each window, of the columns within the span. */
function down(pieces: Iterable<Piece>, windows: readonly Window[], columns: Span): Rows {
  const width = columns.end - columns.first;
  const sums = new Int32Array(windows.length * width * 3).fill(half);
  for (const { pixels, first, count, width: stride } of pieces) {
    for (const [index, window] of windows.entries()) {
      const end = Math.min(first + count, window.first + window.weights.length);
      for (let row = Math.max(first, window.first); row < end; row++) {
        const weight = window.weights[row - window.first] ?? 0;
        let from = ((row - first) * stride + columns.first) * 4;
        let to = index * width * 3;
        for (let x = 0; x < width; x++, from += 4, to += 3) {
          sums[to] = (sums[to] ?? 0) + (pixels[from] ?? 0) * weight;
          sums[to + 1] = (sums[to + 1] ?? 0) + (pixels[from + 1] ?? 0) * weight;
          sums[to + 2] = (sums[to + 2] ?? 0) + (pixels[from + 2] ?? 0) * weight;
        }
      }
    }
  }
  const bytes = new Uint8ClampedArray(sums.length);
  for (const [index, sum] of sums.entries()) bytes[index] = sum >> precisionBits;
  return { bytes, width, first: columns.first };
}

/** One column for each window. */
function across({ bytes, width, first }: Rows, windows: readonly Window[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8ClampedArray((bytes.length / width) * windows.length);
  let to = 0;
  for (let row = 0; row < bytes.length; row += width * 3) {
    for (const window of windows) {
      addAcross(bytes, row + (window.first - first) * 3, { weights: window.weights, step: 3 }, out, to);
      to += 3;
    }
  }
  return new Uint8Array(out.buffer);
}

/** One pixel of a row: the weighted sum of the pixels from index `from` on, `step` numbers apart. */
function addAcross(
  pixels: ArrayLike<number>,
  from: number,
  { weights, step }: { weights: Int32Array; step: number },
  out: Uint8ClampedArray,
  to: number,
): void {
  let [red, green, blue] = [half, half, half];
  let at = from;
  for (let i = 0; i < weights.length; i++, at += step) {
    const weight = weights[i] ?? 0;
    red += (pixels[at] ?? 0) * weight;
    green += (pixels[at + 1] ?? 0) * weight;
    blue += (pixels[at + 2] ?? 0) * weight;
  }
  out[to] = red >> precisionBits;
  out[to + 1] = green >> precisionBits;
  out[to + 2] = blue >> precisionBits;
}

function downAfterAcross(
  pieces: Iterable<Piece>,
  rows: readonly Window[],
  columns: readonly Window[],
): Uint8Array<ArrayBuffer> {
  const span = spanOf(rows);
  const width = columns.length;
  const between = new Uint8ClampedArray((span.end - span.first) * width * 4);
  for (const { pixels, first, count, width: stride } of pieces) {
    for (let row = 0; row < count; row++) {
      let to = (first - span.first + row) * width * 4;
      for (const { first: column, weights } of columns) {
        addAcross(pixels, (row * stride + column) * 4, { weights, step: 4 }, between, to);
        to += 4;
      }
    }
  }
  const whole = { pixels: between, first: span.first, count: span.end - span.first, width };
  return new Uint8Array(down([whole], rows, { first: 0, end: width }).bytes.buffer);
}
