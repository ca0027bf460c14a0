// Turns an image file into the square that a network sees: what torchvision makes of it on Pillow, to the bit. Orientation
// tags and colour profiles are ignored, as there.

import { readFile } from 'node:fs';
import { promisify } from 'node:util';
import sharp, { type Sharp, type SharpOptions } from 'sharp';
import { loadSquareMaker, type RgbImage, type SquareMaker } from '../tensorflow/image-square.js';
import { type JpegDecoder, loadJpegDecoder } from '../tensorflow/jpeg-decoder.js';
import type { Recipe } from './augment.js';
import { readJpegHeader } from './jpeg-header.js';
import type { Preprocessing } from './preprocessing.js';
import { UnreadableImageError, whyUnreadable } from './unreadable-image.js';

// One thread an image: many images are decoded at once. Nothing is decoded twice, so nothing is worth caching.
sharp.concurrency(1);
sharp.cache(false);

const input: SharpOptions = {
  // Fails on truncated files and bad checksums, forgives what Pillow forgives.
  failOn: 'error',
  ignoreIcc: true,
  // Pillow's: twice Image.MAX_IMAGE_PIXELS.
  limitInputPixels: 178_956_970,
};

const readableFormats: ReadonlySet<string> = new Set(['jpeg', 'png', 'webp', 'tiff', 'gif', 'heif']);

// The callback form takes half the time of node:fs/promises.
const readWhole = promisify(readFile);

/** Where a square goes, and what is random about it. */
export interface DecodeTarget {
  /** What was drawn for this image; undefined for the square that torchvision's Resize and CenterCrop make. */
  recipe: Recipe | undefined;
  /** Red, green, blue bytes are written here, [crop, crop, 3], from `offset` on. */
  buffer: ArrayBuffer;
  offset: number;
}

/** The addons, loaded when the first image is decoded. */
let addons: { decodeJpeg: JpegDecoder | undefined; makeSquare: SquareMaker } | undefined;

function loadAddons() {
  addons ??= { decodeJpeg: loadJpegDecoder(), makeSquare: loadSquareMaker() };
  return addons;
}

/**
 * Reads an image and makes a square of it. Rejects with an UnreadableImageError if the file is missing, truncated,
 * damaged, no image, or larger than 178 million pixels.
 */
export async function decodeInto(path: string, preprocessing: Preprocessing, target: DecodeTarget): Promise<void> {
  if (await loadAddons().decodeJpeg?.(path, { ...preprocessing, ...target })) return;
  await decodeWithSharp(path, preprocessing, target);
}

/** Any image that the fast decoder leaves, as `decodeInto`. */
export async function decodeWithSharp(path: string, preprocessing: Preprocessing, target: DecodeTarget): Promise<void> {
  const image = await decodeWhole(path);
  await loadAddons().makeSquare(image, { ...preprocessing, ...target });
}

/** The square that torchvision's Resize and CenterCrop make of an image, as `decodeInto`, to an array of its own. */
export async function decodeImage(path: string, preprocessing: Preprocessing): Promise<Uint8Array> {
  const buffer = new ArrayBuffer(preprocessing.crop ** 2 * 3);
  await decodeInto(path, preprocessing, { recipe: undefined, buffer, offset: 0 });
  return new Uint8Array(buffer);
}

async function decodeWhole(path: string): Promise<RgbImage> {
  try {
    const file = await readWhole(path);
    const header = readJpegHeader(file);
    const plainJpeg = header !== undefined && header.height > 0 && header.components < 4;
    return await (plainJpeg ? decodeRgb(sharp(file, input)) : decodeOther(file));
  } catch (error) {
    throw new UnreadableImageError(path, whyUnreadable(error), { cause: error });
  }
}

/** Decodes what isn't a usual JPEG: other formats and colour spaces, and all that needs a closer look. */
async function decodeOther(file: Buffer): Promise<RgbImage> {
  const { format, space, orientation } = await sharp(file, input).metadata();
  if (!readableFormats.has(format)) throw new Error('unsupported image format');
  // Pillow turns TIFF files, and only those, the way their orientation tag says.
  const image = sharp(file, { ...input, autoOrient: format === 'tiff' && (orientation ?? 1) !== 1 });
  return space === 'cmyk' ? decodeCmyk(image) : decodeRgb(image);
}

/** The colours without alpha: dropped, not blended, as in Pillow's convert('RGB'). */
async function decodeRgb(image: Sharp): Promise<RgbImage> {
  const { data, info } = await image.removeAlpha().toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
  return { pixels: data, width: info.width, height: info.height };
}

/** Pillow's conversion, which knows no profiles: black takes its share, then each ink its share of the rest. */
async function decodeCmyk(image: Sharp): Promise<RgbImage> {
  const inks = await image
    .pipelineColourspace('cmyk')
    .toColourspace('cmyk')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { data, info } = inks;
  const pixels = new Uint8Array(info.width * info.height * 3);
  for (let from = 0, to = 0; to < pixels.length; from += info.channels) {
    const rest = 255 - (data[from + 3] ?? 0);
    for (let ink = 0; ink < 3; ink++) {
      const product = (data[from + ink] ?? 0) * rest + 128;
      pixels[to++] = rest - (((product >> 8) + product) >> 8);
    }
  }
  return { pixels, width: info.width, height: info.height };
}
