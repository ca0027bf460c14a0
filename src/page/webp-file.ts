// WebP files without what browsers heed and training does not (RFC 9649).

import { putText, textAt, viewOf } from '../data/bytes.js';
import type { ImageNotes } from '../data/orientation.js';
import { Refusal } from '../data/refusal.js';
import type { Bytes } from './file-edits.js';
import type { FileParts } from './plain-file.js';

export const looksLikeWebp = (file: Bytes) => textAt(file, 0, 4) === 'RIFF' && textAt(file, 8, 12) === 'WEBP';

interface Chunk {
  name: string;
  start: number;
  content: number;
  end: number;
}

/** Of name, length and content each, which has an even length; those within the frames of an animation, too. */
function* chunksOf(file: Bytes, from = 12, to = file.length): Generator<Chunk> {
  const view = viewOf(file);
  for (let start = from; start + 8 <= to; ) {
    const content = start + 8;
    const length = view.getUint32(start + 4, true);
    const end = Math.min(content + length, to);
    const name = textAt(file, start, start + 4);
    yield { name, start, content, end };
    if (name === 'ANMF') yield* chunksOf(file, content + frameHeaderBytes, end);
    start = content + length + (length % 2);
  }
}

const frameHeaderBytes = 16;
/** In the last byte of a frame's header: its pixels take the place of those below, and are not blended with them. */
const replaces = 2;
/** In the first byte of VP8X. */
const hasAlpha = 0x10;
/** In the fifth byte of VP8L, behind its signature and two sides of 14 bits. */
const usesAlpha = 0x10;

/** Chunks that turn the image, or hold its opacity, get a name that nobody knows, so that the file's length stays. */
export function readWebp(file: Bytes): FileParts {
  // What is cut off some browsers make black.
  if (viewOf(file).getUint32(4, true) + 8 > file.length) throw new Refusal('a truncated or damaged file');
  const changed = new Uint8Array(file);
  const notes: ImageNotes = {};
  for (const { name, start, content, end } of chunksOf(file)) {
    if (name === 'EXIF') notes.exif ??= file.subarray(content, end);
    if (name === 'XMP ') notes.xmp ??= file.subarray(content, end);
    if (name === 'EXIF' || name === 'ALPH') putText(changed, start, 'NONE');
    if (name === 'ANMF') changed[content + 15] = (file[content + 15] ?? 0) | replaces;
    if (name === 'VP8X') changed[content] = (file[content] ?? 0) & ~hasAlpha;
    if (name === 'VP8L') changed[content + 4] = (file[content + 4] ?? 0) & ~usesAlpha;
  }
  return { file: changed, notes };
}
