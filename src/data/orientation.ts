// How an image is to be turned, found where Pillow's ImageOps.exif_transpose finds it: in EXIF, else in XMP.

import { textAt } from './bytes.js';
import { readTiffDirectory, type TiffDirectory } from './tiff-directory.js';

/** What an image file says beside its pixels. */
export interface ImageNotes {
  exif?: Uint8Array | undefined;
  xmp?: Uint8Array | undefined;
  /** Text chunks of a PNG. */
  comments?: readonly { keyword: string; text: string }[] | undefined;
}

const orientationTag = 0x112;

/** The orientation as EXIF counts them: 1, as it is stored, to 8. */
export function orientationOf({ exif, xmp, comments }: ImageNotes): number {
  const block = exif ?? profileOf(comments);
  const directory = block && readTiffDirectory(withoutPrefix(block));
  return orientationIn(directory) ?? orientationInXmp(xmp) ?? 1;
}

/** The orientation of a TIFF file. */
export function tiffOrientation(directory: TiffDirectory, xmp: Uint8Array | undefined): number {
  return orientationIn(directory) ?? orientationInXmp(xmp) ?? 1;
}

/** Undefined where it says nothing of it. */
function orientationIn(directory: TiffDirectory | undefined): number | undefined {
  const value = directory?.entries.get(orientationTag)?.values[0];
  return value === undefined ? undefined : known(value);
}

function orientationInXmp(xmp: Uint8Array | undefined): number | undefined {
  const digit = xmp && /tiff:Orientation(?:="|>)([0-9])/.exec(textAt(xmp, 0, xmp.length))?.[1];
  return digit === undefined ? undefined : known(Number(digit));
}

function known(value: number): number {
  return value >= 1 && value <= 8 ? value : 1;
}

/** Some formats put EXIF's name before the block. */
function withoutPrefix(block: Uint8Array): Uint8Array {
  return textAt(block, 0, 6) === 'Exif\0\0' ? block.subarray(6) : block;
}

/** EXIF in a PNG of the time before it had a chunk for it: name, length and hexadecimal digits on lines of their own. */
function profileOf(comments: ImageNotes['comments']): Uint8Array | undefined {
  const text = comments?.find(({ keyword }) => keyword === 'Raw profile type exif')?.text;
  const digits = text
    ?.trim()
    .split('\n')
    .slice(2)
    .join('')
    .match(/[0-9a-f]{2}/gi);
  return digits ? Uint8Array.from(digits, (pair) => Number.parseInt(pair, 16)) : undefined;
}
