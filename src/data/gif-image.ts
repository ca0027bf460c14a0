// What Pillow makes of a GIF's first frame and libvips does not: transparent pixels keep the colour that stands in their
// place in the palette, and so does what the frame leaves uncovered (https://www.w3.org/Graphics/GIF/spec-gif89a.txt).

import { viewOf } from './bytes.js';
import { Refusal } from './refusal.js';

/** A GIF file that can be handed to libvips. */
export interface GifImage {
  /** The file with nothing transparent in its first frame. */
  file: Uint8Array<ArrayBuffer>;
  /** The part of the picture that the first frame covers, in pixels. */
  frame: { left: number; top: number; width: number; height: number };
  /** The colour of the rest. */
  background: readonly [number, number, number];
}

const extension = 0x21;
const graphicControl = 0xf9;
const imageDescriptor = 0x2c;
const hasPalette = 0x80;
const isTransparent = 1;

/** Looks at a GIF file as far as its first frame. Throws an Error if it ends before. */
export function readGifImage(file: Uint8Array): GifImage {
  try {
    return read(file);
  } catch (error) {
    throw error instanceof RangeError ? new Refusal('a truncated or damaged file') : error;
  }
}

function read(file: Uint8Array): GifImage {
  const view = viewOf(file);
  const flags = view.getUint8(10);
  let at = 13;
  let palette = flags & hasPalette ? at : undefined;
  at += paletteBytes(flags);
  let transparent: { index: number; flagsAt: number } | undefined;
  while (view.getUint8(at) === extension) {
    if (view.getUint8(at + 1) === graphicControl) {
      const flagsAt = at + 3;
      transparent = view.getUint8(flagsAt) & isTransparent ? { index: view.getUint8(at + 6), flagsAt } : undefined;
    }
    at += 2;
    while (view.getUint8(at) > 0) at += view.getUint8(at) + 1;
    at++;
  }
  if (view.getUint8(at) !== imageDescriptor) throw new Refusal('a truncated or damaged file');
  if (view.getUint8(at + 9) & hasPalette) palette = at + 10;
  if (palette === undefined) throw new Refusal('a GIF without a palette');
  const entry = palette + (transparent?.index ?? 0) * 3;
  const background = [view.getUint8(entry), view.getUint8(entry + 1), view.getUint8(entry + 2)] as const;
  const frame = {
    left: view.getUint16(at + 1, true),
    top: view.getUint16(at + 3, true),
    width: view.getUint16(at + 5, true),
    height: view.getUint16(at + 7, true),
  };
  const changed = new Uint8Array(file);
  if (transparent) changed[transparent.flagsAt] = (changed[transparent.flagsAt] ?? 0) & ~isTransparent;
  return { file: changed, frame, background };
}

function paletteBytes(flags: number): number {
  return flags & hasPalette ? 3 * (2 << (flags & 7)) : 0;
}
