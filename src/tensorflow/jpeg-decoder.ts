// The JPEG decoder that set-up compiled against TensorFlow's own JPEG library: three times as fast as libvips for small
// photos, and Pillow's pixels to the bit.

import { createRequire } from 'node:module';
import { installedAddons, type SquareArguments, type SquareTarget, squareArguments } from './image-square.js';

/**
 * Reads and decodes one JPEG file and makes a square of it, on libuv's thread pool. Resolves to false where the file is
 * not for it: missing, damaged, too large, no JPEG, or with colours other than grey and YCbCr; the buffer's content is
 * then undefined. With `turn` its EXIF orientation counts. The buffer must not be transferred meanwhile.
 */
export type JpegDecoder = (path: string, turn: boolean, target: SquareTarget) => Promise<boolean>;

interface Addon {
  decode(path: string, turn: boolean, ...square: SquareArguments): Promise<boolean>;
}

/** The decoder, where TensorFlow is installed and has one. */
export function loadJpegDecoder(): JpegDecoder | undefined {
  const path = installedAddons()?.jpegDecoderPath;
  if (path === undefined) return undefined;
  silenceTensorflow();
  const addon = createRequire(import.meta.url)(path) as Addon;
  return (file, turn, target) => addon.decode(file, turn, ...squareArguments(target));
}

/** Keeps TensorFlow's start-up chatter from the user, unless the user wants it. It must run before anything is loaded. */
export function silenceTensorflow(): void {
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '3';
}
