// The addon that makes the square that a network sees from an image in memory, with Pillow's pixels to the bit. Set-up
// compiled it beside TensorFlow's binding.

import { createRequire } from 'node:module';
import { findInstallation, type Installation } from './cache.js';

/** What to make of an image, and where to. */
export interface SquareTarget {
  /** Length of the shorter side after resizing, in pixels, where there is no recipe. */
  resize: number;
  /** Side of the square; at most `resize`. Without a recipe it is cut from the centre. */
  crop: number;
  interpolation: 'bilinear' | 'bicubic';
  /** A random square: the numbers of a Recipe in native/square.h. */
  recipe: Float64Array | undefined;
  /** Red, green, blue bytes are written here, [crop, crop, 3], from `offset` on. */
  buffer: ArrayBuffer;
  offset: number;
}

/** Red, green, blue bytes, [height, width, 3]. */
export interface RgbImage {
  pixels: Uint8Array;
  width: number;
  height: number;
  /** How the pixels are to be turned, as EXIF's orientation: 1, not at all, to 8. */
  orientation: number;
}

/**
 * Turns, resizes, crops and augments an image on libuv's thread pool. Rejects if there is too little memory. Neither the
 * pixels nor the buffer must be changed or transferred meanwhile.
 */
export type SquareMaker = (image: RgbImage, target: SquareTarget) => Promise<void>;

interface Addon {
  square(
    pixels: Uint8Array,
    width: number,
    height: number,
    orientation: number,
    ...square: SquareArguments
  ): Promise<boolean>;
}

/** The target as our addons take it. */
export type SquareArguments = [
  resize: number,
  crop: number,
  filter: number,
  recipe: Float64Array | undefined,
  buffer: ArrayBuffer,
  offset: number,
];

const filters = { bilinear: 0, bicubic: 1 } as const;

/** Loads the addon. TensorFlow must have been set up. */
export function loadSquareMaker(): SquareMaker {
  const path = installedAddons()?.imageSquarePath;
  if (path === undefined) throw new Error('internal: images were to be decoded before TensorFlow was set up');
  const addon = createRequire(import.meta.url)(path) as Addon;
  return async ({ pixels, width, height, orientation }, target) => {
    if (await addon.square(pixels, width, height, orientation, ...squareArguments(target))) return;
    throw new Error(`out of memory: an image of ${width} x ${height} pixels`);
  };
}

/** The installation whose addons decode images: any will do, whatever device is used. */
export function installedAddons(): Installation | undefined {
  return findInstallation() ?? findInstallation('cpu');
}

export function squareArguments({
  resize,
  crop,
  interpolation,
  recipe,
  buffer,
  offset,
}: SquareTarget): SquareArguments {
  return [resize, crop, filters[interpolation], recipe, buffer, offset];
}
