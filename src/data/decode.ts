// Turns an image file into the bytes torchvision would hand to a network after Resize and CenterCrop on Pillow. JPEGs
// come out equal, but for Pillow 13's other order of passes in very tall images; other formats are at most 2/255 off
// where they are made smaller, and equal otherwise. Orientation tags and colour profiles are ignored, as there.

import { readFile } from 'node:fs';
import { promisify } from 'node:util';
import sharp, { type Sharp, type SharpOptions } from 'sharp';
import { type JpegDecoder, loadJpegDecoder } from '../tensorflow/jpeg-decoder.js';
import { readJpegHeader } from './jpeg-header.js';
import { cropOffset, type Preprocessing, resizedSize, type Size } from './preprocessing.js';
import { resample } from './resample.js';
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

/** Pixels in memory: red, green, blue bytes, [height, width, 3]. */
interface RgbImage extends Size {
  pixels: Uint8Array;
}

let jpegDecoder: { decode: JpegDecoder | undefined } | undefined;

/**
 * Reads, resizes and crops an image, and writes red, green, blue bytes, [crop, crop, 3], to `buffer` from `offset` on.
 * Rejects with an UnreadableImageError if the file is missing, truncated, damaged, no image, or larger than 178 million
 * pixels.
 */
export async function decodeInto(
  path: string,
  preprocessing: Preprocessing,
  buffer: ArrayBuffer,
  offset: number,
): Promise<void> {
  jpegDecoder ??= { decode: loadJpegDecoder() };
  const { resize, crop, interpolation } = preprocessing;
  if (await jpegDecoder.decode?.(path, { resize, crop, interpolation, buffer, offset })) return;
  new Uint8Array(buffer, offset, crop * crop * 3).set(await decodeWithSharp(path, preprocessing));
}

/** As `decodeInto`, to an array of its own. */
export async function decodeImage(path: string, preprocessing: Preprocessing): Promise<Uint8Array> {
  const buffer = new ArrayBuffer(preprocessing.crop ** 2 * 3);
  await decodeInto(path, preprocessing, buffer, 0);
  return new Uint8Array(buffer);
}

/** Any image that the fast decoder leaves, as `decodeImage`. */
export async function decodeWithSharp(path: string, preprocessing: Preprocessing): Promise<Uint8Array> {
  try {
    const file = await readWhole(path);
    const header = readJpegHeader(file);
    const plainJpeg = header !== undefined && header.height > 0 && header.components < 4;
    return await (plainJpeg
      ? shrinkAndCrop(sharp(file, input), header, preprocessing)
      : decodeOther(file, preprocessing));
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('internal:')) throw error;
    throw new UnreadableImageError(path, whyUnreadable(error), { cause: error });
  }
}

/** Decodes what isn't a usual JPEG: other formats and colour spaces, alpha, 16 bits, and all that needs a closer look. */
async function decodeOther(file: Buffer, preprocessing: Preprocessing): Promise<Uint8Array> {
  const { format, width, height, pageHeight, space, depth, hasAlpha, orientation } = await sharp(
    file,
    input,
  ).metadata();
  if (!readableFormats.has(format)) throw new Error('unsupported image format');
  // Pillow turns TIFF files, and only those, the way their orientation tag says.
  const turned = format === 'tiff' && (orientation ?? 1) !== 1;
  const plain = !hasAlpha && depth === 'uchar' && (space === 'srgb' || space === 'b-w') && !turned;
  if (plain) return shrinkAndCrop(sharp(file, input), { width, height: pageHeight ?? height }, preprocessing);
  const pixels = sharp(file, { ...input, autoOrient: turned });
  return cropRgb(space === 'cmyk' ? await decodeCmyk(pixels) : await decodeRgb(pixels), preprocessing);
}

/** Resizes and crops while decoding. `size` is the image's, which has no alpha and 8 bits a channel. */
async function shrinkAndCrop(image: Sharp, size: Size, preprocessing: Preprocessing): Promise<Uint8Array> {
  const { resize, crop } = preprocessing;
  if (!sharpResizes(size, preprocessing)) return cropRgb(await decodeRgb(image), preprocessing);
  const target = resizedSize(size, resize);
  if (target.width !== size.width || target.height !== size.height) {
    image.resize(target.width, target.height, { fit: 'fill', kernel: 'linear', fastShrinkOnLoad: false });
  }
  return image
    .extract({ ...cropOffset(target, crop), width: crop, height: crop })
    .toColourspace('srgb')
    .raw()
    .toBuffer();
}

/** Whether sharp makes of this image, within 2/255, what Pillow does. */
function sharpResizes({ width, height }: Size, { resize, interpolation }: Preprocessing): boolean {
  const shortSide = Math.min(width, height);
  return shortSide === resize || (shortSide > resize && interpolation === 'bilinear');
}

/** Resizes and crops an image that has been decoded before. */
async function cropRgb(image: RgbImage, preprocessing: Preprocessing): Promise<Uint8Array> {
  const { pixels, width, height } = image;
  const { resize, crop, interpolation } = preprocessing;
  if (sharpResizes(image, preprocessing)) {
    return shrinkAndCrop(sharp(pixels, { raw: { width, height, channels: 3 } }), image, preprocessing);
  }
  const target = resizedSize(image, resize);
  return resample(pixels, image, target, { offset: cropOffset(target, crop), crop, interpolation });
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
