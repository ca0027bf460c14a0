// The JPEG decoder that set-up compiled against TensorFlow's own JPEG library: three times as fast as libvips for small
// photos, and Pillow's pixels to the bit.

import { createRequire } from 'node:module';
import { findInstallation } from './cache.js';

export interface DecodeTarget {
  /** Length of the shorter side after resizing, in pixels. */
  resize: number;
  /** Side of the square cut from the centre; at most `resize`. */
  crop: number;
  interpolation: 'bilinear' | 'bicubic';
  /** Red, green, blue bytes are written here, [crop, crop, 3], from `offset` on. */
  buffer: ArrayBuffer;
  offset: number;
}

/**
 * Reads, decodes, resizes and crops one JPEG file on libuv's thread pool. Resolves to false where the file is not for
 * it: missing, damaged, too large, no JPEG, or with colours other than grey and YCbCr; the buffer's content is then
 * undefined. The buffer must not be transferred meanwhile.
 */
export type JpegDecoder = (path: string, target: DecodeTarget) => Promise<boolean>;

interface Addon {
  decode(
    path: string,
    resize: number,
    crop: number,
    filter: number,
    buffer: ArrayBuffer,
    offset: number,
  ): Promise<boolean>;
}

const filters = { bilinear: 0, bicubic: 1 } as const;

/** The decoder, where TensorFlow is installed and has one. */
export function loadJpegDecoder(): JpegDecoder | undefined {
  const path = findInstallation()?.jpegDecoderPath;
  if (path === undefined) return undefined;
  silenceTensorflow();
  const addon = createRequire(import.meta.url)(path) as Addon;
  return (file, { resize, crop, interpolation, buffer, offset }) =>
    addon.decode(file, resize, crop, filters[interpolation], buffer, offset);
}

/** Keeps TensorFlow's start-up chatter from the user, unless the user wants it. It must run before anything is loaded. */
export function silenceTensorflow(): void {
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '3';
}
