// Decodes image files of every format that is read, with libvips, to the pixels that Pillow's convert('RGB') makes.

import sharp, { type Sharp, type SharpOptions } from 'sharp';
import type { RgbImage } from '../tensorflow/image-square.js';
import { looksLikeAvif, readAvifImage } from './avif-image.js';
import { type GifImage, readGifImage } from './gif-image.js';
import { type JpegHeader, readJpegHeader } from './jpeg-header.js';
import { orientationOf, tiffOrientation } from './orientation.js';
import { looksLikeTiff, readTiffImage } from './tiff-image.js';

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

/** An image file whose header has been read. */
export interface OpenedImage {
  /** Width times height. */
  pixels: number;
  decode(): Promise<RgbImage>;
}

/** Looks at a file's header. With `turn`, an orientation tag tells how the image is to be turned. */
export async function openImage(file: Buffer, turn: boolean): Promise<OpenedImage> {
  const jpeg = readJpegHeader(file);
  if (jpeg !== undefined) return openJpeg(file, jpeg, turn);
  if (looksLikeAvif(file)) return openAvif(file, turn);
  if (looksLikeTiff(file)) return openTiff(file);
  const { format, width, height, exif, xmp, comments } = await sharp(file, input).metadata();
  const pixels = width * height;
  switch (format) {
    case 'png': {
      const orientation = turn ? orientationOf({ exif, xmp, comments }) : 1;
      const decode = isGrey16(file) ? decodeGrey16 : decodeRgb;
      return { pixels, decode: () => decode(sharp(file, input), orientation) };
    }
    case 'webp': {
      const orientation = turn ? orientationOf({ exif, xmp }) : 1;
      return { pixels, decode: () => decodeRgb(sharp(file, input), orientation) };
    }
    case 'gif': {
      const gif = readGifImage(file);
      return { pixels, decode: () => decodeGif(gif) };
    }
    default:
      throw new Error('unsupported image format');
  }
}

async function openJpeg(file: Buffer, header: JpegHeader, turn: boolean): Promise<OpenedImage> {
  const { width, height, components, precision } = header;
  if (precision !== 8) throw new Error(`a JPEG of ${precision} bits, of which only those of 8 are read`);
  const image = sharp(file, input);
  const orientation = turn ? orientationOf(await image.metadata()) : 1;
  // A height of 0 follows behind the pixels: libvips knows.
  const cmyk = components === 4 || (height === 0 && (await image.metadata()).space === 'cmyk');
  return { pixels: width * height, decode: () => (cmyk ? decodeCmyk : decodeRgb)(image, orientation) };
}

async function openAvif(file: Buffer, turn: boolean): Promise<OpenedImage> {
  const { file: plain, orientation } = readAvifImage(file);
  const image = sharp(plain, input);
  const { format, width, height } = await image.metadata();
  if (format !== 'heif') throw new Error('unsupported image format');
  return { pixels: width * height, decode: () => decodeRgb(image, turn ? orientation : 1) };
}

async function openTiff(file: Buffer): Promise<OpenedImage> {
  const { directory, file: readable, kind } = readTiffImage(file);
  const image = sharp(readable, input);
  const { width, height, xmp } = await image.metadata();
  // Pillow turns TIFF files, and only those, without being asked.
  const orientation = tiffOrientation(directory, xmp);
  const decode = () => {
    if (kind === 'grey16') return decodeGrey16(image, orientation);
    if (kind === 'signed grey16') return decodeGrey16(image, orientation, true);
    if (kind === 'premultiplied') return decodePremultiplied(image, orientation);
    return kind === 'cmyk' ? decodeCmyk(image, orientation) : decodeRgb(image, orientation);
  };
  return { pixels: width * height, decode };
}

/** The colours without alpha: dropped, not blended, as in Pillow's convert('RGB'). */
async function decodeRgb(image: Sharp, orientation: number): Promise<RgbImage> {
  const { data, info } = await image.removeAlpha().toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
  return { pixels: data, width: info.width, height: info.height, orientation };
}

/** Pillow's conversion, which knows no profiles: black takes its share, then each ink its share of the rest. */
async function decodeCmyk(image: Sharp, orientation: number): Promise<RgbImage> {
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
  return { pixels, width: info.width, height: info.height, orientation };
}

/** Colours that were multiplied by alpha are divided by it, rounded down as in Pillow. */
async function decodePremultiplied(image: Sharp, orientation: number): Promise<RgbImage> {
  const { data, info } = await image.toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
  const pixels = new Uint8Array(info.width * info.height * 3);
  for (let from = 0, to = 0; to < pixels.length; from += info.channels) {
    const alpha = data[from + 3] ?? 0;
    for (let channel = 0; channel < 3; channel++) {
      const value = data[from + channel] ?? 0;
      pixels[to++] = alpha === 0 ? 0 : Math.min(255, Math.floor((255 * value) / alpha));
    }
  }
  return { pixels, width: info.width, height: info.height, orientation };
}

/** Grey of 16 bits is clipped to 8, as in Pillow: most of it comes out white. */
async function decodeGrey16(image: Sharp, orientation: number, signed = false): Promise<RgbImage> {
  const { data, info } = await image
    .removeAlpha()
    .pipelineColourspace('grey16')
    .toColourspace('grey16')
    .raw({ depth: 'ushort' })
    .toBuffer({ resolveWithObject: true });
  const pixels = new Uint8Array(info.width * info.height * 3);
  const values = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let to = 0, from = 0; to < pixels.length; to += 3, from += 2 * info.channels) {
    const value = signed ? Math.max(0, values.getInt16(from, true)) : values.getUint16(from, true);
    pixels.fill(Math.min(255, value), to, to + 3);
  }
  return { pixels, width: info.width, height: info.height, orientation };
}

/** A GIF's first frame, and its background around it. */
async function decodeGif({ file, frame, background }: GifImage): Promise<RgbImage> {
  const image = await decodeRgb(sharp(file, input), 1);
  const { pixels, width, height } = image;
  const right = frame.left + frame.width;
  const bottom = frame.top + frame.height;
  if (right > width || bottom > height) throw new Error('a GIF whose first frame reaches beyond its edges');
  if (frame.width === width && frame.height === height) return image;
  for (let y = 0; y < height; y++) {
    const inRow = y >= frame.top && y < bottom;
    for (let x = 0; x < width; x++) {
      if (!inRow || x < frame.left || x >= right) pixels.set(background, (y * width + x) * 3);
    }
  }
  return image;
}

/** True for a PNG whose header chunk says: 16 bits, grey without alpha. */
function isGrey16(file: Buffer): boolean {
  return file[24] === 16 && file[25] === 0;
}
