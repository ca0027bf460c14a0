// Image files and pictures of the camera as the square of bytes that the network gets.

import type { Preprocessing } from '../data/preprocessing.js';
import { withoutOrientation } from './orientation.js';
import { shownPart, squareOf } from './resample.js';

/** An image that the browser can't read. The message is a sentence for the user. */
export class UnreadableImage extends Error {
  override readonly name = 'UnreadableImage';
}

export interface ReadImage {
  /** Red, green, blue bytes, [crop, crop, 3]. */
  square: Uint8Array;
  /** The same part of the image for the screen. */
  picture: ImageBitmap | undefined;
}

/** `pictureSide`: of the picture for the screen, in pixels; none unless told. */
export async function readImage(
  image: Blob | ImageBitmap,
  preprocessing: Preprocessing,
  pictureSide: number | undefined,
): Promise<ReadImage> {
  const bitmap = image instanceof ImageBitmap ? image : await decode(image, preprocessing.exif === true);
  try {
    const square = squareOf(rowsOf(bitmap), preprocessing);
    if (pictureSide === undefined) return { square, picture: undefined };
    const { left, top, side } = shownPart(bitmap, preprocessing);
    const size = Math.max(1, Math.min(pictureSide, Math.round(side)));
    const picture = await createImageBitmap(bitmap, left, top, side, side, {
      ...{ resizeWidth: size, resizeHeight: size, resizeQuality: 'high' },
    });
    return { square, picture };
  } finally {
    bitmap.close();
  }
}

/** Colour profiles are ignored, as in training. */
async function decode(file: Blob, turn: boolean): Promise<ImageBitmap> {
  if (file.size === 0) throw new UnreadableImage('The file is empty.');
  const stored = turn ? file : new Blob([...withoutOrientation(new Uint8Array(await file.arrayBuffer()))]);
  try {
    return await createImageBitmap(stored, { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
  } catch (error) {
    throw new UnreadableImage(
      'This is no image that the browser can read: it reads JPEG, PNG, WebP, GIF and mostly AVIF.',
      { cause: error },
    );
  }
}

function rowsOf(bitmap: ImageBitmap) {
  const { width, height } = bitmap;
  return {
    width,
    height,
    read(first: number, count: number): Uint8ClampedArray {
      const context = new OffscreenCanvas(width, count).getContext('2d', { alpha: false, willReadFrequently: true });
      if (!context) throw new UnreadableImage('The image is too large for this browser.');
      context.drawImage(bitmap, 0, -first);
      return context.getImageData(0, 0, width, count).data;
    },
  };
}
