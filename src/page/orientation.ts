// Image files without what says how they are to be turned. Browsers turn every image as its EXIF says, and can't be asked
// not to; training leaves images as they are stored unless it was told otherwise.

type Bytes = Uint8Array<ArrayBuffer>;

/** A part of a file that is left out, or has others of the same length in its place. */
interface Span {
  start: number;
  end: number;
  instead?: Bytes;
}

/** The file in pieces, without the EXIF of a JPEG, PNG or WebP. */
export function withoutOrientation(file: Bytes): readonly Bytes[] {
  const spans = [...notesOf(file)];
  const starts = [0, ...spans.map(({ end }) => end)];
  const ends = [...spans.map(({ start }) => start), file.length];
  return starts.flatMap((start, index) => {
    const { instead } = spans[index] ?? {};
    return [file.subarray(start, ends[index]), ...(instead ? [instead] : [])];
  });
}

function notesOf(file: Bytes): Iterable<Span> {
  if (file[0] === 0xff && file[1] === 0xd8) return notesOfJpeg(file);
  if (textAt(file, 1, 3) === 'PNG') return notesOfPng(file);
  if (textAt(file, 0, 4) === 'RIFF' && textAt(file, 8, 4) === 'WEBP') return notesOfWebp(file);
  return [];
}

/** The segments APP1, EXIF and XMP, both of which can say it; they all stand before the first scan. */
function* notesOfJpeg(file: Bytes): Generator<Span> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const [marker, startOfScan, notes] = [0xff, 0xda, 0xe1];
  for (let at = 2; file[at] === marker && at + 4 <= file.length && file[at + 1] !== startOfScan; ) {
    const end = Math.min(at + 2 + view.getUint16(at + 2), file.length);
    if (file[at + 1] === notes) yield { start: at, end };
    at = end;
  }
}

/** Chunks: length, name, content, checksum. */
function* notesOfPng(file: Bytes): Generator<Span> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (let at = 8; at + 12 <= file.length; ) {
    const end = Math.min(at + 12 + view.getUint32(at), file.length);
    if (textAt(file, at + 4, 4) === 'eXIf') yield { start: at, end };
    at = end;
  }
}

/** Chunks: name, length, content, which has an even length. One of another name stays, so that the file's length does. */
function* notesOfWebp(file: Bytes): Generator<Span> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (let at = 12; at + 8 <= file.length; ) {
    if (textAt(file, at, 4) === 'EXIF') yield { start: at, end: at + 4, instead: new TextEncoder().encode('NONE') };
    const length = view.getUint32(at + 4, true);
    at += 8 + length + (length % 2);
  }
}

const textAt = (file: Bytes, start: number, length: number) =>
  String.fromCharCode(...file.subarray(start, start + length));
