// Turns an image file into the square that a network sees: what torchvision makes of it on Pillow, to the bit. Colour
// profiles are ignored, as there, and so are orientation tags unless the preprocessing heeds them.

import { type ImageStrip, loadSquareMaker, type SquareMaker } from '../tensorflow/image-square.js';
import { type JpegDecoder, loadJpegDecoder } from '../tensorflow/jpeg-decoder.js';
import type { Recipe } from './augment.js';
import { type OpenedImage, openImage } from './decode-whole.js';
import { withRoomFor } from './memory-budget.js';
import type { Preprocessing } from './preprocessing.js';
import { readImageFile } from './read-image-file.js';
import { UnreadableImageError, whyUnreadable } from './unreadable-image.js';

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
 * Reads an image and makes a square of it. Rejects with an UnreadableImageError if the file is missing, no file,
 * truncated, damaged, no image, of a kind that is not read, or larger than 178 million pixels.
 */
export async function decodeInto(path: string, preprocessing: Preprocessing, target: DecodeTarget): Promise<void> {
  const { decodeJpeg } = loadAddons();
  if (await decodeJpeg?.(path, preprocessing.exif === true, { ...preprocessing, ...target })) return;
  await decodeWithSharp(path, preprocessing, target);
}

/** Any image that the fast decoder leaves, as `decodeInto`. */
export function decodeWithSharp(path: string, preprocessing: Preprocessing, target: DecodeTarget): Promise<void> {
  return decodeFile(path, () => readImageFile(path), preprocessing, target);
}

/** `path` stands for the file in errors. */
async function decodeFile(
  path: string,
  read: () => Promise<Buffer>,
  preprocessing: Preprocessing,
  target: DecodeTarget,
): Promise<void> {
  const { makeSquare } = loadAddons();
  const orRefused = (error: unknown) => {
    throw new UnreadableImageError(path, whyUnreadable(error, path), { cause: error });
  };
  const open = async () => openImage(await read(), preprocessing.exif === true);
  const image = await open().catch(orRefused);
  const { width, height } = image.shape;
  const square = { ...preprocessing, ...target };
  await withRoomFor(Math.min(width * height, stripPixels) * 3, async () => {
    if (width * height > maxWholePixels) {
      await makeSquare.fromStrips(image.shape, strips(image, orRefused), square);
    } else {
      await makeSquare.fromWhole(image.shape, await image.read().catch(orRefused), square);
    }
  });
}

/** Larger images are decoded in strips, again and again from the start: slower, but in little memory. */
const maxWholePixels = 48e6;
const stripPixels = 32e6;

async function* strips(image: OpenedImage, orRefused: (error: unknown) => never): AsyncGenerator<ImageStrip> {
  const { width, height } = image.shape;
  const rows = Math.max(1, Math.floor(stripPixels / width));
  for (let first = 0; first < height; first += rows) {
    const count = Math.min(rows, height - first);
    yield { pixels: await image.read({ first, count }).catch(orRefused), first };
  }
}

/** The square that torchvision's Resize and CenterCrop make of an image, as `decodeInto`, to an array of its own. */
export function decodeImage(path: string, preprocessing: Preprocessing): Promise<Uint8Array> {
  return toOwnArray(preprocessing, (target) => decodeInto(path, preprocessing, target));
}

/** The same of a file that is in memory; `name` stands for it in errors. */
export function decodeImageBytes(file: Buffer, name: string, preprocessing: Preprocessing): Promise<Uint8Array> {
  return toOwnArray(preprocessing, (target) => decodeFile(name, async () => file, preprocessing, target));
}

async function toOwnArray(
  { crop }: Preprocessing,
  decode: (target: DecodeTarget) => Promise<void>,
): Promise<Uint8Array> {
  const buffer = new ArrayBuffer(crop ** 2 * 3);
  await decode({ recipe: undefined, buffer, offset: 0 });
  return new Uint8Array(buffer);
}
