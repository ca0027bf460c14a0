// The parts of PNG files (https://www.w3.org/TR/png-3/), and what stands in them beside the pixels.

import { textAt, viewOf } from '../data/bytes.js';
import type { ImageNotes } from '../data/orientation.js';
import type { Bytes } from './file-edits.js';
import type { FileParts } from './file-parts.js';
import { inflate } from './inflate.js';

export const looksLikePng = (file: Bytes) => textAt(file, 0, 8) === '\x89PNG\r\n\x1a\n';

export interface Chunk {
  name: string;
  content: Bytes;
  start: number;
  end: number;
}

/** Of length, name, content and checksum each. The last may be cut short. */
export function* chunksOf(file: Bytes): Generator<Chunk> {
  const view = viewOf(file);
  for (let start = 8; start + 12 <= file.length; ) {
    const end = Math.min(start + 12 + view.getUint32(start), file.length);
    yield { name: textAt(file, start + 4, start + 8), content: file.subarray(start + 8, end - 4), start, end };
    start = end;
  }
}

/** The file as it is: its pixels are read here, not by the browser. */
export async function readPng(file: Bytes): Promise<FileParts> {
  const chunks = [...chunksOf(file)];
  const texts = await Promise.all(chunks.map(textOf));
  const notes: ImageNotes = {
    exif: chunks.find(({ name }) => name === 'eXIf')?.content,
    xmp: texts.find((text) => text?.keyword === 'XML:com.adobe.xmp')?.content,
    comments: texts
      .filter((text) => text !== undefined)
      .map(({ keyword, content }) => ({ keyword, text: textAt(content, 0, content.length) })),
  };
  return { notes };
}

/** Keyword and content of a text chunk that may hold EXIF or XMP; nothing of a damaged one. */
async function textOf({ name, content }: Chunk): Promise<{ keyword: string; content: Bytes } | undefined> {
  if (!['tEXt', 'zTXt', 'iTXt'].includes(name)) return undefined;
  const [keyword = ''] = textAt(content, 0, 80).split('\0');
  if (!/^(Raw profile type exif|XML:com\.adobe\.xmp)$/.test(keyword)) return undefined;
  const at = keyword.length + 1;
  if (name === 'tEXt') return { keyword, content: content.subarray(at) };
  const isPacked = name === 'zTXt' || content[at] === 1;
  // Of international texts two flags are followed by a language and by the keyword in it.
  const [, second = 0] = name === 'zTXt' ? [] : endsOfTexts(content, at + 2);
  const rest = content.subarray(name === 'zTXt' ? at + 1 : second);
  if (!isPacked) return { keyword, content: rest };
  return inflate([rest]).then(
    (unpacked) => ({ keyword, content: unpacked }),
    () => undefined,
  );
}

/** Where the first and the second text behind `start` end, with their final zero. */
function endsOfTexts(content: Bytes, start: number): [number, number] {
  const first = content.indexOf(0, start) + 1;
  return [first, content.indexOf(0, first) + 1];
}
