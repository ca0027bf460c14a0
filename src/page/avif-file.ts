// AVIF files without what browsers heed and training does not.

import { readAvifImage } from '../data/avif-image.js';
import { putText, textAt } from '../data/bytes.js';
import type { Bytes } from './file-edits.js';
import type { FileParts } from './file-parts.js';

/** What says of an image that it is the opacity of another (ISO/IEC 23008-12, AV1 Image File Format 4.1). */
const alphaNames = ['urn:mpeg:mpegB:cicp:systems:auxiliary:alpha', 'urn:mpeg:hevc:2015:auxid:1'];

/** Such properties stand in the boxes before the pixels. */
const boxBytes = 2 ** 16;

/** Makes it opaque. What turns it stays: some browsers refuse a file whose turns are made to turn nothing. */
export function readAvif(original: Bytes): FileParts {
  const { orientation } = readAvifImage(original);
  const file = new Uint8Array(original);
  // Of a sequence the first picture.
  if (textAt(file, 8, 12) === 'avis') putText(file, 8, 'avif');
  const head = textAt(file, 0, boxBytes);
  for (const name of alphaNames) {
    for (let at = head.indexOf(name); at >= 0; at = head.indexOf(name, at + 1)) putText(file, at, 'none');
  }
  return { file, orientation, isTurnedByBrowsers: true };
}
