// Image files without what browsers heed and training does not: browsers turn every image as its EXIF says, and blend
// what is transparent, and can't be asked not to.

import { looksLikeAvif } from '../data/avif-image.js';
import { readGifImage } from '../data/gif-image.js';
import { orientationOf } from '../data/orientation.js';
import { Refusal } from '../data/refusal.js';
import { looksLikeTiff } from '../data/tiff-image.js';
import { readAvif } from './avif-file.js';
import type { Bytes } from './file-edits.js';
import type { Canvas, FileParts } from './file-parts.js';
import { looksLikeJpeg, readJpeg } from './jpeg-file.js';
import { looksLikePng, readPng } from './png-file.js';
import { looksLikeWebp, readWebp } from './webp-file.js';

export type Format = 'jpeg' | 'png' | 'webp' | 'gif' | 'avif';

export interface PlainFile {
  format: Format;
  /** The file, opaque. */
  file: Bytes;
  /** How it is to be turned, as EXIF's orientation: 1, not at all, to 8. */
  orientation: number;
  /** Whether browsers turn it so, asked or not. */
  isTurnedByBrowsers: boolean;
  /** The colour of what its picture leaves uncovered. */
  background: FileParts['background'];
  /** Where it stands; alone unless told. */
  canvas: Canvas | undefined;
}

const readers: readonly [
  Format,
  looksLike: (file: Bytes) => boolean,
  (file: Bytes) => FileParts | Promise<FileParts>,
][] = [
  ['jpeg', looksLikeJpeg, readJpeg],
  ['png', looksLikePng, readPng],
  ['webp', looksLikeWebp, readWebp],
  ['gif', (file) => file[0] === 0x47 && file[1] === 0x49 && file[2] === 0x46, readGifImage],
  ['avif', looksLikeAvif, readAvif],
];

/** Rejects with a Refusal for a format that is not read here, and for damage that shows. */
export async function plainFile(original: Bytes): Promise<PlainFile> {
  const [format, , read] = readers.find(([, looksLike]) => looksLike(original)) ?? [];
  if (!format || !read) {
    throw new Refusal(
      looksLikeTiff(original)
        ? 'TIFF, which browsers do not read; deep-cnn predict does'
        : 'no image of a format that is read: JPEG, PNG, WebP, GIF and, in most browsers, AVIF',
    );
  }
  const {
    file = original,
    notes = {},
    isTurnedByBrowsers = false,
    background,
    canvas,
    ...parts
  } = await read(original);
  const orientation = parts.orientation ?? orientationOf(notes);
  return { format, file, orientation, isTurnedByBrowsers, background, canvas };
}
