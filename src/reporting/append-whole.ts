import { fstatSync, ftruncateSync, writeSync } from 'node:fs';

/** Appends all of the bytes to an open file, or none: what a full disk lets through of them is taken back. */
export function appendWhole(descriptor: number, bytes: Uint8Array): void {
  const { size } = fstatSync(descriptor);
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written);
  } catch (error) {
    ftruncateSync(descriptor, size);
    throw error;
  }
}
