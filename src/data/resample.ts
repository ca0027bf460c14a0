// Pillow's Image.resize, bit for bit (8 bits a channel: https://github.com/python-pillow/Pillow,
// src/libImaging/Resample.c). libvips enlarges with samples half a pixel off, and its cubic filter is another.

import type { Interpolation, Offset, Size } from './preprocessing.js';

/** The source pixels that one output pixel is made of: the first, and the weight of each. */
interface Window {
  first: number;
  weights: Int32Array;
}

const precisionBits = 32 - 8 - 2;
const half = 1 << (precisionBits - 1);
const channels = 3;

/**
 * Resizes an RGB image (bytes, [height, width, 3]) to `target` and returns the square of side `crop` at `offset` in
 * it, [crop, crop, 3]. Only that square is computed.
 */
export function resample(
  pixels: Uint8Array,
  source: Size,
  target: Size,
  { offset, crop, interpolation }: { offset: Offset; crop: number; interpolation: Interpolation },
): Uint8Array {
  const filter = filters[interpolation];
  const columns = windows(source.width, target.width, offset.left, crop, filter);
  const rows = windows(source.height, target.height, offset.top, crop, filter);
  const firstRow = rows[0]?.first ?? 0;
  const lastRow = rows.reduce((last, { first, weights }) => Math.max(last, first + weights.length), 0);
  const narrowed = new Uint8Array((lastRow - firstRow) * crop * channels);
  for (let y = firstRow; y < lastRow; y++) {
    for (const [x, { first, weights }] of columns.entries()) {
      const from = (y * source.width + first) * channels;
      weigh(pixels, from, channels, weights, narrowed, ((y - firstRow) * crop + x) * channels);
    }
  }
  const result = new Uint8Array(crop * crop * channels);
  for (const [y, { first, weights }] of rows.entries()) {
    for (let x = 0; x < crop; x++) {
      const from = ((first - firstRow) * crop + x) * channels;
      weigh(narrowed, from, crop * channels, weights, result, (y * crop + x) * channels);
    }
  }
  return result;
}

/** Writes one pixel: the weighted sum of the pixels at `from`, `from + step`, ... */
function weigh(pixels: Uint8Array, from: number, step: number, weights: Int32Array, to: Uint8Array, at: number): void {
  for (let channel = 0; channel < channels; channel++) {
    let sum = half;
    for (let i = 0; i < weights.length; i++) sum += (pixels[from + channel + i * step] ?? 0) * (weights[i] ?? 0);
    to[at + channel] = Math.min(255, Math.max(0, sum >> precisionBits));
  }
}

interface Filter {
  /** Half the width of the filter, in pixels of the smaller image. */
  support: number;
  weight: (distance: number) => number;
}

const filters: Record<Interpolation, Filter> = {
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - x) },
  // Keys 1981 with a = -0.5
  bicubic: {
    support: 2,
    weight: (x) => {
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
    },
  },
};

function windows(
  sourceLength: number,
  targetLength: number,
  start: number,
  count: number,
  { support: halfWidth, weight }: Filter,
): Window[] {
  const scale = sourceLength / targetLength;
  const filterScale = Math.max(scale, 1);
  const support = halfWidth * filterScale;
  // A product with the inverse, as Pillow has it: a quotient rounds differently.
  const inverseScale = 1 / filterScale;
  return Array.from({ length: count }, (_, i) => {
    const centre = (start + i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(sourceLength, Math.trunc(centre + support + 0.5));
    const shares = Array.from({ length: end - first }, (_, j) =>
      weight(Math.abs((first + j - centre + 0.5) * inverseScale)),
    );
    const sum = shares.reduce((total, share) => total + share, 0);
    return { first, weights: Int32Array.from(shares, (share) => roundHalfAway((share / sum) * (1 << precisionBits))) };
  });
}

const roundHalfAway = (value: number) => Math.trunc(value < 0 ? value - 0.5 : value + 0.5);
