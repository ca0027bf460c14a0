// Pillow's bilinear Image.resize, bit for bit (8 bits a channel: https://github.com/python-pillow/Pillow,
// src/libImaging/Resample.c). libvips enlarges with samples half a pixel off, so small images are enlarged here.

import type { Offset, Size } from './preprocessing.js';

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
export function resizeBilinear(
  pixels: Uint8Array,
  source: Size,
  target: Size,
  offset: Offset,
  crop: number,
): Uint8Array {
  const columns = windows(source.width, target.width, offset.left, crop);
  const rows = windows(source.height, target.height, offset.top, crop);
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

function windows(sourceLength: number, targetLength: number, start: number, count: number): Window[] {
  const scale = sourceLength / targetLength;
  const support = Math.max(scale, 1);
  return Array.from({ length: count }, (_, i) => {
    const centre = (start + i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(sourceLength, Math.trunc(centre + support + 0.5));
    const shares = Array.from({ length: end - first }, (_, j) =>
      Math.max(0, 1 - Math.abs((first + j - centre + 0.5) / support)),
    );
    const sum = shares.reduce((total, share) => total + share, 0);
    return { first, weights: Int32Array.from(shares, (share) => 0.5 + (share / sum) * (1 << precisionBits)) };
  });
}
