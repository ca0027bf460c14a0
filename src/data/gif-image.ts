// What Pillow makes of a GIF's first frame and libvips does not: transparent pixels keep the colour that stands in their
// place in the palette, and so does what the frame leaves uncovered (https://www.w3.org/Graphics/GIF/spec-gif89a.txt).

import { Refusal } from './unreadable-image.js';

/** A GIF file that can be handed to libvips. */
export interface GifImage {
  /** The file with nothing transparent in its first frame. */
  file: Buffer;
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
export function readGifImage(file: Buffer): GifImage {
  try {
    return read(file);
  } catch (error) {
    throw error instanceof RangeError ? new Refusal('a truncated or damaged file') : error;
  }
}

function read(file: Buffer): GifImage {
  const flags = file.readUInt8(10);
  let at = 13;
  let palette = flags & hasPalette ? at : undefined;
  at += paletteBytes(flags);
  let transparent: { index: number; flagsAt: number } | undefined;
  while (file.readUInt8(at) === extension) {
    if (file.readUInt8(at + 1) === graphicControl) {
      const flagsAt = at + 3;
      transparent = file.readUInt8(flagsAt) & isTransparent ? { index: file.readUInt8(at + 6), flagsAt } : undefined;
    }
    at += 2;
    while (file.readUInt8(at) > 0) at += file.readUInt8(at) + 1;
    at++;
  }
  if (file.readUInt8(at) !== imageDescriptor) throw new Refusal('a truncated or damaged file');
  if (file.readUInt8(at + 9) & hasPalette) palette = at + 10;
  if (palette === undefined) throw new Refusal('a GIF without a palette');
  const entry = palette + (transparent?.index ?? 0) * 3;
  const background = [file.readUInt8(entry), file.readUInt8(entry + 1), file.readUInt8(entry + 2)] as const;
  const frame = {
    left: file.readUInt16LE(at + 1),
    top: file.readUInt16LE(at + 3),
    width: file.readUInt16LE(at + 5),
    height: file.readUInt16LE(at + 7),
  };
  if (transparent === undefined) return { file, frame, background };
  const changed = Buffer.from(file);
  changed[transparent.flagsAt] = (changed[transparent.flagsAt] ?? 0) & ~isTransparent;
  return { file: changed, frame, background };
}

function paletteBytes(flags: number): number {
  return flags & hasPalette ? 3 * (2 << (flags & 7)) : 0;
}
