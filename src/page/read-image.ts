// Image files and pictures of the camera as the square of bytes that the network gets.

import type { Preprocessing } from '../data/preprocessing.js';
import { Refusal } from '../data/refusal.js';
import { avifPixels } from './avif-pixels.js';
import { type PlainFile, plainFile } from './plain-file.js';
import { type Pixels, pngPixels } from './png-pixels.js';
import { canvasOf, redrawn } from './redrawn.js';
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
  /** Why the square may be another than training's: a sentence for the user. */
  note: string | undefined;
}

/** `pictureSide`: of the picture for the screen, in pixels; none unless told. */
export async function readImage(
  image: Blob | ImageBitmap,
  preprocessing: Preprocessing,
  pictureSide: number | undefined,
): Promise<ReadImage> {
  const { bitmap, note } =
    image instanceof ImageBitmap
      ? { bitmap: image, note: undefined }
      : await decode(image, preprocessing.exif === true);
  try {
    const square = squareOf(rowsOf(bitmap), preprocessing);
    if (pictureSide === undefined) return { square, picture: undefined, note };
    const { left, top, side } = shownPart(bitmap, preprocessing);
    const size = Math.max(1, Math.min(pictureSide, Math.round(side)));
    const picture = await createImageBitmap(bitmap, left, top, side, side, {
      ...{ resizeWidth: size, resizeHeight: size, resizeQuality: 'high' },
    });
    return { square, picture, note };
  } finally {
    bitmap.close();
  }
}

/** Colour profiles are ignored, as in training. */
const asStored = { colorSpaceConversion: 'none' } as const;

interface Decoded {
  bitmap: ImageBitmap;
  note: string | undefined;
}

/** Decodes a file as training does, turned only where that heeds EXIF. */
async function decode(blob: Blob, turn: boolean): Promise<Decoded> {
  if (blob.size === 0) throw new UnreadableImage('The file is empty.');
  try {
    const plain = await plainFile(new Uint8Array(await blob.arrayBuffer()));
    const { format, orientation, background, canvas } = plain;
    const pixels = await ownPixels(plain);
    const bitmap = await (pixels ? bitmapOf(pixels) : createImageBitmap(new Blob([plain.file]), asStored));
    const isTurned = plain.isTurnedByBrowsers && !pixels;
    return {
      bitmap: redrawn(bitmap, { from: isTurned ? orientation : 1, to: turn ? orientation : 1, background, canvas }),
      note: format === 'avif' && !pixels ? inexactAvif : undefined,
    };
  } catch (error) {
    throw new UnreadableImage(error instanceof Refusal ? `This is ${error.message}.` : unreadable, { cause: error });
  }
}

const unreadable =
  "This is an image that the browser can't read: damaged, too large, or of a kind that it does not know.";
const inexactAvif =
  'This browser makes other colours of an AVIF than training does, by a little: so may the answer be.';

/** Where the browser's would be others. */
async function ownPixels({ format, file }: PlainFile): Promise<Pixels | undefined> {
  if (format === 'png') return pngPixels(file);
  return format === 'avif' ? avifPixels(file) : undefined;
}

const bitmapOf = ({ data, width, height }: Pixels) => createImageBitmap(new ImageData(data, width, height));

function rowsOf(bitmap: ImageBitmap) {
  const { width, height } = bitmap;
  return {
    width,
    height,
    read(first: number, count: number): Uint8ClampedArray {
      const context = canvasOf(width, count);
      context.drawImage(bitmap, 0, -first);
      return context.getImageData(0, 0, width, count).data;
    },
  };
}
