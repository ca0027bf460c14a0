// WebP files without what browsers heed and training does not (RFC 9649).

import { putText, textAt, viewOf } from '../data/bytes.js';
import type { ImageNotes } from '../data/orientation.js';
import { Refusal } from '../data/refusal.js';
import type { Bytes } from './file-edits.js';
import type { FileParts } from './file-parts.js';

export const looksLikeWebp = (file: Bytes) => textAt(file, 0, 4) === 'RIFF' && textAt(file, 8, 12) === 'WEBP';

interface Chunk {
  name: string;
  start: number;
  content: number;
  end: number;
}

/** Of name, length and content each, which has an even length. */
function* chunksOf(file: Bytes, from: number, to: number): Generator<Chunk> {
  const view = viewOf(file);
  for (let start = from; start + 8 <= to; ) {
    const content = start + 8;
    const length = view.getUint32(start + 4, true);
    yield { name: textAt(file, start, start + 4), start, content, end: Math.min(content + length, to) };
    start = content + length + (length % 2);
  }
}

const headerBytes = 12;
const frameHeaderBytes = 16;
/** In the first byte of VP8X. */
const hasAlpha = 0x10;
/** In the fifth byte of VP8L, behind its signature and two sides of 14 bits. */
const usesAlpha = 0x10;

/** Makes it opaque, and unturned, and of an animation the first picture. Throws a Refusal for a file without its end. */
export function readWebp(file: Bytes): FileParts {
  // What is cut off some browsers make black.
  if (viewOf(file).getUint32(4, true) + 8 > file.length) throw damaged();
  const chunks = [...chunksOf(file, headerBytes, file.length)];
  const contentOf = (wanted: string) => {
    const chunk = chunks.find(({ name }) => name === wanted);
    return chunk && file.subarray(chunk.content, chunk.end);
  };
  const notes: ImageNotes = { exif: contentOf('EXIF'), xmp: contentOf('XMP ') };
  const first = chunks.find(({ name }) => name === 'ANMF');
  if (first) return { ...firstPicture(file, first, contentOf('VP8X')), notes };
  return { file: opaque(file, chunks), notes };
}

const damaged = () => new Refusal('a truncated or damaged file');

/** Chunks that turn the image, or hold its opacity, get a name that nobody knows, so that the file's length stays. */
function opaque(file: Bytes, chunks: readonly Chunk[]): Bytes {
  const changed = new Uint8Array(file);
  for (const { name, start, content } of chunks) {
    if (name === 'EXIF' || name === 'ALPH') putText(changed, start, 'NONE');
    if (name === 'VP8X') changed[content] = (file[content] ?? 0) & ~hasAlpha;
    if (name === 'VP8L') changed[content + 4] = (file[content + 4] ?? 0) & ~usesAlpha;
  }
  return changed;
}

/** As a file of its own, and where it stands on the animation's canvas: Firefox keeps one transparent that covers but a part. */
function firstPicture(file: Bytes, { content, end }: Chunk, animation: Bytes | undefined): FileParts {
  const chunk = [...chunksOf(file, content + frameHeaderBytes, end)].find(({ name }) => /^VP8[ L]$/.test(name));
  if (!chunk || !animation || animation.length < 10) throw damaged();
  const picture = new Uint8Array(headerBytes + chunk.end - chunk.start + ((chunk.end - chunk.start) % 2));
  putText(picture, 0, 'RIFF');
  viewOf(picture).setUint32(4, picture.length - 8, true);
  putText(picture, 8, 'WEBP');
  picture.set(file.subarray(chunk.start, chunk.end), headerBytes);
  const header = file.subarray(content, content + frameHeaderBytes);
  return {
    file: opaque(picture, [...chunksOf(picture, headerBytes, picture.length)]),
    canvas: {
      ...{ left: 2 * number(header, 0), top: 2 * number(header, 3) },
      ...{ width: 1 + number(animation, 4), height: 1 + number(animation, 7) },
    },
  };
}

/** Three bytes, the lowest first. */
const number = (bytes: Bytes, at: number) => viewOf(bytes).getUint16(at, true) + (bytes[at + 2] ?? 0) * 2 ** 16;
