// Looking into files, in Node.js and in browsers.

/** The numbers in some bytes. Reading beyond their end throws a RangeError. */
export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Bytes from `start` to before `end` as Latin-1, or fewer where the file ends. */
export function textAt(file: Uint8Array, start: number, end: number): string {
  return Array.from(file.subarray(start, end), (code) => String.fromCharCode(code)).join('');
}

/** Writes a text of ASCII into bytes. */
export function putText(file: Uint8Array, start: number, text: string): void {
  file.set(new TextEncoder().encode(text), start);
}
