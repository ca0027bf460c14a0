// Opens image files of every format that is read, with libvips, and decodes them to Pillow's pixels.

import sharp, { type Sharp, type SharpOptions } from 'sharp';
import type { ImageShape } from '../tensorflow/image-square.js';
import { looksLikeAvif, readAvifImage } from './avif-image.js';
import { type GifImage, readGifImage } from './gif-image.js';
import { readJpegHeader } from './jpeg-header.js';
import { orientationOf, tiffOrientation } from './orientation.js';
import { Refusal } from './refusal.js';
import { type ReadPixels, readCmyk, readGrey16, readPremultiplied, readRgb, readSignedGrey16 } from './rgb-pixels.js';
import { looksLikeTiff, readTiffImage, type TiffImage } from './tiff-image.js';

// One thread an image: many images are decoded at once. Nothing is decoded twice, so nothing is worth caching.
sharp.concurrency(1);
sharp.cache(false);

/** Pillow's: twice Image.MAX_IMAGE_PIXELS. */
const maxPixels = 178_956_970;

/** A JPEG's can't be larger. Resized, the long side stays within 31 bits. */
const maxAspect = 65_535;

const input: SharpOptions = {
  // Fails on truncated files and bad checksums, forgives what Pillow forgives.
  failOn: 'error',
  ignoreIcc: true,
  limitInputPixels: maxPixels,
};

/** An image file whose header has been read. */
export interface OpenedImage {
  shape: ImageShape;
  /** Decodes all rows, or some of them: [rows, width, 3]. Some take as long as all that stand before them, too. */
  read(rows?: { first: number; count: number }): Promise<Uint8Array>;
}

/** Looks at a file's header. With `turn`, an orientation tag tells how the image is to be turned. */
export async function openImage(file: Buffer, turn: boolean): Promise<OpenedImage> {
  const image = await open(file, turn);
  const { width, height } = image.shape;
  if (width * height > maxPixels) throw new Refusal('an image of more than 178 million pixels');
  if (Math.max(width, height) > maxAspect * Math.min(width, height)) {
    throw new Refusal(`an image of ${width} x ${height} pixels, too narrow to be resized`);
  }
  return image;
}

async function open(file: Buffer, turn: boolean): Promise<OpenedImage> {
  const jpeg = readJpegHeader(file);
  if (jpeg !== undefined && jpeg.precision !== 8) {
    throw new Refusal(`a JPEG of ${jpeg.precision} bits, of which only those of 8 are read`);
  }
  // A height of 0 follows behind the pixels: libvips knows.
  if (jpeg !== undefined && jpeg.height > 0 && !turn) {
    return opened(file, { ...jpeg, orientation: 1 }, jpeg.components === 4 ? readCmyk : readRgb);
  }
  if (looksLikeAvif(file)) return openAvif(file, turn);
  if (looksLikeTiff(file)) return openTiff(file);
  const { format, width, height, space, ...notes } = await sharp(file, input).metadata();
  const shape = { width, height, orientation: turn ? orientationOf(notes) : 1 };
  switch (format) {
    case 'jpeg':
      return opened(file, shape, space === 'cmyk' ? readCmyk : readRgb);
    case 'png':
      return opened(file, shape, isGrey16(file) ? readGrey16 : readRgb);
    case 'webp':
      return opened(file, shape, readRgb);
    case 'gif':
      return openedGif(readGifImage(file), shape);
    default:
      throw new Refusal('something that is no image of a known format');
  }
}

async function openAvif(file: Buffer, turn: boolean): Promise<OpenedImage> {
  const { file: plain, orientation } = readAvifImage(file);
  const { format, width, height } = await sharp(plain, input).metadata();
  if (format !== 'heif') throw new Refusal('something that is no image of a known format');
  return opened(plain, { width, height, orientation: turn ? orientation : 1 }, readRgb);
}

const readsOfTiff: Readonly<Record<TiffImage['kind'], ReadPixels>> = {
  rgb: readRgb,
  premultiplied: readPremultiplied,
  cmyk: readCmyk,
  grey16: readGrey16,
  'signed grey16': readSignedGrey16,
};

async function openTiff(file: Buffer): Promise<OpenedImage> {
  const { directory, file: readable, kind } = readTiffImage(file);
  const { width, height, xmp } = await sharp(readable, input).metadata();
  // Pillow turns TIFF files, and only those, without being asked.
  return opened(readable, { width, height, orientation: tiffOrientation(directory, xmp) }, readsOfTiff[kind]);
}

function opened(file: Uint8Array, shape: ImageShape, read: ReadPixels): OpenedImage {
  const { width, height, orientation } = shape;
  return {
    shape: { width, height, orientation },
    read: (rows) => read(someRows(sharp(file, input), width, rows)),
  };
}

function someRows(image: Sharp, width: number, rows: Parameters<OpenedImage['read']>[0]): Sharp {
  return rows === undefined ? image : image.extract({ left: 0, top: rows.first, width, height: rows.count });
}

/** A GIF's first frame, and its background around it. */
function openedGif({ file, frame, background }: GifImage, shape: ImageShape): OpenedImage {
  const { width, height } = shape;
  const right = frame.left + frame.width;
  const bottom = frame.top + frame.height;
  if (right > width || bottom > height) throw new Refusal('a GIF whose first frame reaches beyond its edges');
  const read: OpenedImage['read'] = async (rows) => {
    const pixels = await readRgb(someRows(sharp(file, input), width, rows));
    if (frame.width === width && frame.height === height) return pixels;
    const first = rows?.first ?? 0;
    for (let y = first; y < first + pixels.length / (width * 3); y++) {
      const inRow = y >= frame.top && y < bottom;
      for (let x = 0; x < width; x++) {
        if (!inRow || x < frame.left || x >= right) pixels.set(background, ((y - first) * width + x) * 3);
      }
    }
    return pixels;
  };
  return { shape, read };
}

/** True for a PNG whose header chunk says: 16 bits, grey without alpha. */
function isGrey16(file: Buffer): boolean {
  return file[24] === 16 && file[25] === 0;
}
