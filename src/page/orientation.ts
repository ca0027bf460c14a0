// JPEG files without what says how they are to be turned. Browsers turn every image as its EXIF says, and can't be asked
// not to; training leaves images as they are stored unless it was told otherwise.

/** Segments of a JPEG begin with this byte. */
const marker = 0xff;
const startOfImage = 0xd8;
const startOfScan = 0xda;
/** APP1: EXIF and XMP, both of which can say it. */
const notes = 0xe1;

/** The file as it is stored, or without its notes where it is a JPEG that has some. */
export function withoutOrientation(file: Uint8Array<ArrayBuffer>): readonly Uint8Array<ArrayBuffer>[] {
  if (file[0] !== marker || file[1] !== startOfImage) return [file];
  const kept: Uint8Array<ArrayBuffer>[] = [];
  let start = 0;
  let at = 2;
  while (file[at] === marker && at + 4 <= file.length) {
    const kind = file[at + 1];
    if (kind === startOfScan) break;
    const end = at + 2 + ((file[at + 2] ?? 0) << 8) + (file[at + 3] ?? 0);
    if (kind === notes) {
      kept.push(file.subarray(start, at));
      start = end;
    }
    at = end;
  }
  return [...kept, file.subarray(start)];
}
