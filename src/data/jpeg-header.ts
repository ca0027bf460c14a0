// Finds out a JPEG's size from its frame header (ITU T.81, annex B), which asking libvips takes ten times as long for.

import { viewOf } from './bytes.js';

/** What a JPEG says of itself before its pixels: size in pixels, the number of colour components, and bits of each. */
export interface JpegHeader {
  width: number;
  height: number;
  components: number;
  precision: number;
}

/** Reads the frame header of a JPEG file's bytes. Undefined for anything that doesn't look like one. */
export function readJpegHeader(file: Uint8Array): JpegHeader | undefined {
  const bytes = viewOf(file);
  if (bytes.byteLength < 4 || bytes.getUint16(0) !== 0xffd8) return undefined;
  let at = 2;
  while (at + 10 <= bytes.byteLength && bytes.getUint8(at) === 0xff) {
    const marker = bytes.getUint8(at + 1);
    if (marker === 0xff) {
      at += 1; // a fill byte
    } else if (isFrameHeader(marker)) {
      return {
        precision: bytes.getUint8(at + 4),
        height: bytes.getUint16(at + 5),
        width: bytes.getUint16(at + 7),
        components: bytes.getUint8(at + 9),
      };
    } else {
      at += 2 + bytes.getUint16(at + 2);
    }
  }
  return undefined;
}

/** SOF0 to SOF15; DHT, JPG and DAC share the range. */
function isFrameHeader(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}
