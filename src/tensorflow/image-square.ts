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

/** The size of an image as it is stored, in pixels, and how it is to be turned: as EXIF's orientation, 1 to 8. */
export interface ImageShape {
  width: number;
  height: number;
  orientation: number;
}

/** Turns, resizes, crops and augments images on libuv's thread pool. Each rejects if there is too little memory. */
export interface SquareMaker {
  /**
   * From the whole image: red, green, blue bytes, [height, width, 3]. Neither the pixels nor the buffer must be changed
   * or transferred meanwhile.
   */
  fromWhole(shape: ImageShape, pixels: Uint8Array, target: SquareTarget): Promise<void>;
  /** The same from strips of whole rows, which together are the image: for images that are too large to be held whole. */
  fromStrips(shape: ImageShape, strips: AsyncIterable<ImageStrip>, target: SquareTarget): Promise<void>;
}

/** Some rows of an image, [rows, width, 3]. */
export interface ImageStrip {
  pixels: Uint8Array;
  /** The first row. */
  first: number;
}

interface Addon {
  square(...args: [...SharedArguments, pixels: Uint8Array]): Promise<boolean>;
  scratchBytes(...args: SharedArguments): number;
  addStrip(...args: [...SharedArguments, pixels: Uint8Array, scratch: ArrayBuffer, first: number]): Promise<boolean>;
  finishStrips(...args: [...SharedArguments, scratch: ArrayBuffer]): Promise<boolean>;
}

type SharedArguments = [width: number, height: number, orientation: number, ...square: SquareArguments];

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
  const shared = ({ width, height, orientation }: ImageShape, target: SquareTarget): SharedArguments => {
    return [width, height, orientation, ...squareArguments(target)];
  };
  const check = (done: boolean, { width, height }: ImageShape) => {
    if (!done) throw new Error(`out of memory: an image of ${width} x ${height} pixels`);
  };
  return {
    async fromWhole(shape, pixels, target) {
      check(await addon.square(...shared(shape, target), pixels), shape);
    },
    async fromStrips(shape, strips, target) {
      const args = shared(shape, target);
      const scratch = new ArrayBuffer(addon.scratchBytes(...args));
      for await (const { pixels, first } of strips) {
        check(await addon.addStrip(...args, pixels, scratch, first), shape);
      }
      check(await addon.finishStrips(...args, scratch), shape);
    },
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
