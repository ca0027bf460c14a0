// Image files with parts left out.

export type Bytes = Uint8Array<ArrayBuffer>;

/** A part of a file, from `start` to before `end`. */
export interface Span {
  start: number;
  end: number;
}

/** The file without some parts, which come in the order of their places. In one piece: Firefox wants its beginning so. */
export function without(file: Bytes, spans: readonly Span[]): Bytes {
  if (spans.length === 0) return file;
  const left = spans.reduce((length, { start, end }) => length - (end - start), file.length);
  const joined = new Uint8Array(left);
  let from = 0;
  let to = 0;
  for (const { start, end } of [...spans, { start: file.length, end: file.length }]) {
    joined.set(file.subarray(from, start), to);
    to += start - from;
    from = end;
  }
  return joined;
}
