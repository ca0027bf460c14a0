// Bitmaps drawn anew: turned, or on a ground of another colour than black.

import { Refusal } from '../data/refusal.js';
import type { PlainFile } from './plain-file.js';

/** A canvas that is black at first. Throws a Refusal where there is none of that size. */
export function canvasOf(width: number, height: number): OffscreenCanvasRenderingContext2D {
  const context = new OffscreenCanvas(width, height).getContext('2d', { alpha: false, willReadFrequently: true });
  if (!context) throw new Refusal('an image too large for this browser');
  return context;
}

/** Where EXIF's orientations, 1 to 8, put the axes of an image of those sides: a, b, c, d, e, f of a canvas. */
const transforms: readonly ((width: number, height: number) => [number, number, number, number, number, number])[] = [
  () => [1, 0, 0, 1, 0, 0],
  (width) => [-1, 0, 0, 1, width, 0],
  (width, height) => [-1, 0, 0, -1, width, height],
  (_, height) => [1, 0, 0, -1, 0, height],
  () => [0, 1, 1, 0, 0, 0],
  (_, height) => [0, 1, -1, 0, height, 0],
  (width, height) => [0, -1, -1, 0, height, width],
  (width) => [0, -1, 1, 0, 0, width],
];

/** The orientation that undoes another: those by a quarter are each other's. */
const inverse = (orientation: number) => ({ 6: 8, 8: 6 })[orientation] ?? orientation;

export interface Redrawing {
  /** The EXIF orientation in which it is turned. One of the two is 1, or both are the same. */
  from: number;
  /** The one in which it shall be. */
  to: number;
  /** What shows where it is transparent. */
  background: PlainFile['background'];
  /** Where it stands, if not alone. */
  canvas: PlainFile['canvas'];
}

/** The bitmap itself, or another in its place. */
export function redrawn(bitmap: ImageBitmap, { from, to, background, canvas }: Redrawing): ImageBitmap {
  const isTurned = from !== to;
  const { width, height, left, top } = canvas ?? { width: bitmap.width, height: bitmap.height, left: 0, top: 0 };
  const isPart = width !== bitmap.width || height !== bitmap.height;
  if (!isTurned && !background && !isPart) return bitmap;
  const orientation = isTurned ? (from === 1 ? to : inverse(from)) : 1;
  const context = orientation > 4 ? canvasOf(height, width) : canvasOf(width, height);
  context.imageSmoothingEnabled = false;
  const transform = transforms[orientation - 1];
  if (transform) context.setTransform(...transform(width, height));
  if (background) context.fillStyle = `rgb(${background.join(' ')})`;
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, left, top);
  bitmap.close();
  return context.canvas.transferToImageBitmap();
}
