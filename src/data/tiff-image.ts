// Which TIFF images are read: those kinds of pixels that come out as from Pillow. libvips reads others too, but as
// something else.

import { textAt } from './bytes.js';
import { Refusal } from './refusal.js';
import { readTiffDirectory, type TiffDirectory } from './tiff-directory.js';

const tags = { bits: 258, compression: 259, photometric: 262, samples: 277, extra: 338, format: 339 } as const;

const photometricNames = new Map([
  [0, 'grey'],
  [1, 'grey'],
  [2, 'RGB'],
  [3, 'palette'],
  [5, 'CMYK'],
  [6, 'YCbCr'],
  [8, 'LAB'],
  [9, 'LAB'],
]);
const sampleFormats = ['', 'unsigned', 'signed', 'floating-point'];

const jpegCompression = 7;
/** The meaning of a sample: nothing in particular, alpha that colours were multiplied by, alpha. */
const alpha = { unspecified: 0, premultiplied: 1, independent: 2 } as const;

/** What has to be known to read a TIFF image. */
export interface TiffImage {
  directory: TiffDirectory;
  /** The file, changed where libvips would take it in another sense than Pillow. */
  file: Buffer;
  kind: 'rgb' | 'premultiplied' | 'cmyk' | 'grey16' | 'signed grey16';
}

/** True for a file that begins as TIFF and BigTIFF do. */
export function looksLikeTiff(file: Uint8Array): boolean {
  return ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].includes(textAt(file, 0, 4));
}

/** Looks at a TIFF file's first image. Throws an Error that says which kind of pixels can't be read. */
export function readTiffImage(file: Buffer): TiffImage {
  const directory = readTiffDirectory(file);
  if (directory === undefined) throw new Refusal('a truncated or damaged file');
  const value = (tag: number, otherwise: number) => directory.entries.get(tag)?.values[0] ?? otherwise;
  const samples = value(tags.samples, 1);
  const photometric = value(tags.photometric, 0);
  const bits = directory.entries.get(tags.bits)?.values ?? [1];
  const format = value(tags.format, 1);
  const pixels: Pixels = {
    photometric,
    samples,
    bits: bits[0] ?? 1,
    format,
    extra: directory.entries.get(tags.extra)?.values ?? [],
    jpeg: value(tags.compression, 1) === jpegCompression,
    littleEndian: directory.littleEndian,
  };
  const even = bits.every((count) => count === pixels.bits);
  if (!even || !isRead(pixels))
    throw new Refusal(`a TIFF image whose pixels are of a kind that is not read (${named(pixels)})`);
  const grey16 = photometric <= 1 && samples === 1 && pixels.bits === 16;
  const signed = format === 2 && pixels.bits < 32;
  const changes = new Map<number, number>();
  // Pillow takes them as they are: it inverts no grey of 16 bits, and signed bytes are bytes.
  if (grey16 && photometric === 0) changes.set(tags.photometric, 1);
  if (signed) changes.set(tags.format, 1);
  // libvips would divide by alpha, and round differently.
  const premultiplied = photometric === 2 && samples === 4 && pixels.extra[0] === alpha.premultiplied;
  if (premultiplied) changes.set(tags.extra, alpha.independent);
  return {
    directory,
    file: withChanges(file, directory, changes),
    kind: pixelKind(),
  };

  function pixelKind(): TiffImage['kind'] {
    if (grey16) return signed ? 'signed grey16' : 'grey16';
    if (premultiplied) return 'premultiplied';
    return photometric === 5 ? 'cmyk' : 'rgb';
  }
}

interface Pixels {
  photometric: number;
  samples: number;
  bits: number;
  format: number;
  extra: readonly number[];
  jpeg: boolean;
  littleEndian: boolean;
}

function isRead({ photometric, samples, bits, format, extra, jpeg, littleEndian }: Pixels): boolean {
  const unsigned = format === 1;
  const whole = bits === 8 && unsigned;
  switch (photometric) {
    case 0:
    case 1:
      if (samples === 2)
        return whole && photometric === 1 && (extra[0] === alpha.unspecified || extra[0] === alpha.independent);
      if (samples !== 1) return false;
      if (bits === 16) return format <= 2 && (photometric === 1 || (littleEndian && unsigned));
      if (bits === 32) return photometric === 1 && (littleEndian || !unsigned);
      return whole || (bits === 8 && format === 2 && photometric === 1) || ([1, 2, 4].includes(bits) && unsigned);
    case 2:
      if (samples === 4 && extra[0] === alpha.premultiplied && bits !== 8) return false;
      return (samples === 3 || samples === 4) && unsigned && (bits === 8 || bits === 16);
    case 3:
      return samples === 1 && unsigned && [1, 2, 4, 8].includes(bits);
    case 5:
      return samples === 4 && whole;
    case 6:
      return samples === 3 && whole && jpeg;
    default:
      return false;
  }
}

function named({ photometric, samples, bits, format, extra, jpeg }: Pixels): string {
  const colours = photometricNames.get(photometric) ?? `photometric ${photometric}`;
  const depth = `${samples} ${sampleFormats[format] ?? `format ${format}`} sample${samples === 1 ? '' : 's'} of ${bits} bits`;
  const more = [
    extra[0] === alpha.premultiplied && 'premultiplied alpha',
    photometric === 6 && !jpeg && 'not compressed as JPEG',
  ].filter(Boolean);
  return [colours, depth, ...more].join(', ');
}

function withChanges(file: Buffer, { littleEndian, entries }: TiffDirectory, changes: Map<number, number>): Buffer {
  if (changes.size === 0) return file;
  const changed = Buffer.from(file);
  for (const [tag, value] of changes) {
    const entry = entries.get(tag);
    if (entry === undefined) continue;
    for (let i = 0; i < entry.values.length; i++) {
      const at = entry.at + i * entry.valueBytes;
      if (littleEndian) changed.writeUIntLE(value, at, entry.valueBytes);
      else changed.writeUIntBE(value, at, entry.valueBytes);
    }
  }
  return changed;
}
