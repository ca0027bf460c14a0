// JPEG files without what browsers heed and training does not.

import { textAt, viewOf } from '../data/bytes.js';
import type { ImageNotes } from '../data/orientation.js';
import { Refusal } from '../data/refusal.js';
import { type Bytes, type Span, without } from './file-edits.js';
import type { FileParts } from './file-parts.js';

export const looksLikeJpeg = (file: Bytes) => file[0] === 0xff && file[1] === 0xd8;

const exifName = 'Exif\0\0';
const xmpName = 'http://ns.adobe.com/xap/1.0/\0';

/**
 * Leaves out the segments APP1, EXIF and XMP, both of which can turn it; they all stand before the first scan. Throws a
 * Refusal for a file without an end, of which some browsers show what there is.
 */
export function readJpeg(file: Bytes): FileParts {
  const view = viewOf(file);
  const [marker, startOfScan, app1] = [0xff, 0xda, 0xe1];
  const leftOut: Span[] = [];
  const notes: ImageNotes = {};
  let at = 2;
  while (file[at] === marker && at + 4 <= file.length && file[at + 1] !== startOfScan) {
    const end = Math.min(at + 2 + view.getUint16(at + 2), file.length);
    if (file[at + 1] === app1) {
      leftOut.push({ start: at, end });
      const content = file.subarray(at + 4, end);
      if (textAt(content, 0, exifName.length) === exifName) notes.exif ??= content;
      else if (textAt(content, 0, xmpName.length) === xmpName) notes.xmp ??= content.subarray(xmpName.length);
    }
    at = end;
  }
  if (!hasEnd(file, at)) throw new Refusal('a truncated or damaged file');
  return { file: without(file, leftOut), notes };
}

/** True where the marker EOI stands behind the start of the first scan; within a scan it can't stand for anything else. */
function hasEnd(file: Bytes, start: number): boolean {
  for (let at = file.length - 2; at >= start; at--) if (file[at] === 0xff && file[at + 1] === 0xd9) return true;
  return false;
}
