// A picture of what speaks for a class: the map's colours on the image itself, and what the network did not see darkened.

import sharp, { type Sharp } from 'sharp';
import { scheme } from 'vega';
import { writeAll, writeAtomically } from '../atomic-file.js';
import { openImage } from '../data/decode-whole.js';
import { withRoomFor } from '../data/memory-budget.js';
import type { Preprocessing } from '../data/preprocessing.js';
import { readImageFile } from '../data/read-image-file.js';
import type { Explanation } from './classify-images.js';

/** The picture's longer side in pixels is at most this. */
const longestSide = 1024;
const quality = 90;

export interface OverlayRequest {
  /** The image. */
  path: string;
  preprocessing: Preprocessing;
  explanation: Explanation;
  /** The JPEG to write. */
  output: string;
}

/** Writes the picture, whole. Rejects where the image can't be read any more, or the file system refuses. */
export async function writeOverlay({ path, preprocessing, explanation, output }: OverlayRequest): Promise<void> {
  const image = await openImage(await readImageFile(path), preprocessing.exif === true);
  const { width, height, orientation } = image.shape;
  const jpeg = await withRoomFor(width * height * 3, async () => {
    const raw = { width, height, channels: 3 } as const;
    const turned = turn(sharp(Buffer.from(await image.read()), { raw }), orientation);
    const small = turned.resize(longestSide, longestSide, { fit: 'inside', withoutEnlargement: true });
    const { data, info } = await small.raw().toBuffer({ resolveWithObject: true });
    const size = { width: info.width, height: info.height };
    const layer = { input: await overlayOf(size, preprocessing, explanation), raw: { ...size, channels: 4 } as const };
    return sharp(data, { raw: { ...size, channels: 3 } })
      .composite([layer])
      .jpeg({ quality })
      .toBuffer();
  });
  await writeAtomically(output, (file) => writeAll(file, jpeg));
}

/** Upright as EXIF's orientation says; sharp mirrors before it turns. */
function turn(image: Sharp, orientation: number): Sharp {
  const isMirrored = [2, 4, 5, 7].includes(orientation);
  const angle = { 3: 180, 4: 180, 5: 270, 6: 90, 7: 90, 8: 270 }[orientation] ?? 0;
  return image.flop(isMirrored).rotate(angle);
}

/** Red, green, blue, alpha bytes, [height, width, 4]. */
async function overlayOf(
  { width, height }: { width: number; height: number },
  { resize, crop }: Preprocessing,
  explanation: Explanation,
): Promise<Buffer> {
  // The network saw the square at the centre of the image, this share of its shorter side.
  const side = Math.max(1, Math.round((Math.min(width, height) * crop) / resize));
  const [left, top] = [Math.round((width - side) / 2), Math.round((height - side) / 2)];
  const heat = await enlarged(explanation, side);
  const pixels = Buffer.alloc(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const isSeen = x >= left && x < left + side && y >= top && y < top + side;
      const colour = isSeen ? colours()[heat[(y - top) * side + (x - left)] ?? 0] : unseen;
      pixels.writeUInt32BE(colour ?? unseen, (y * width + x) * 4);
    }
  }
  return pixels;
}

/** The map as bytes, 255 where it is largest, [side, side]. */
async function enlarged({ map, width, height }: Explanation, side: number): Promise<Uint8Array> {
  const largest = map.reduce((a, b) => Math.max(a, b), 0);
  const bytes = Uint8Array.from(map, (value) => (largest > 0 ? Math.round((255 * value) / largest) : 0));
  const grey = sharp(bytes, { raw: { width, height, channels: 1 } });
  return grey.resize(side, side, { fit: 'fill', kernel: 'cubic' }).extractChannel(0).raw().toBuffer();
}

/** Black, half transparent. */
const unseen = 0x00000080;
/** Where nothing speaks for the class most of the image is seen, and where most does, most of the colour. */
const [leastAlpha, mostAlpha] = [50, 175];

let table: readonly number[] | undefined;

/** The colour of each byte of a map, as 32 bits from red to alpha: matplotlib's inferno, whose brightness rises evenly. */
function colours(): readonly number[] {
  table ??= Array.from({ length: 256 }, (_, value) => {
    const [red = 0, green = 0, blue = 0] = (/\d+, \d+, \d+/.exec(inferno(value / 255))?.[0] ?? '')
      .split(', ')
      .map(Number);
    const alpha = Math.round(leastAlpha + ((mostAlpha - leastAlpha) * value) / 255);
    return ((red << 24) | (green << 16) | (blue << 8) | alpha) >>> 0;
  });
  return table;
}

const inferno = scheme('inferno') as (share: number) => string;
