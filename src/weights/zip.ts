// The table of contents of a zip file, with its 64-bit form
// (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT). PyTorch stores without compressing, so that where an
// entry lies is all there is to know.

import type { FileBytes } from './file-bytes.js';
import { brokenFile, refusedContent, shown } from './file-errors.js';

export interface ZipEntry {
  /** Bytes. */
  size: number;
  /** Where its own header starts; its content follows that. */
  headerOffset: number;
  /** Whether the bytes are the content itself, neither compressed nor encrypted. */
  isPlain: boolean;
}

const endBytes = 22;
const maxCommentBytes = 65_535;
const locatorBytes = 20;
const end64Bytes = 56;
const directoryEntryBytes = 46;
const localHeaderBytes = 30;
/** ResNet-152 with its optimizer has 0.2 MB. */
const maxDirectoryBytes = 16 * 2 ** 20;
/** In 16 and 32 bits: the value stands in the 64-bit form. */
const elsewhere16 = 0xffff;
const elsewhere32 = 0xffffffff;

/**
 * All entries by name. Throws a `UserError` where the table is cut off, damaged, absurdly large, or names an entry twice.
 */
export async function readZipDirectory(file: FileBytes): Promise<ReadonlyMap<string, ZipEntry>> {
  const { offset, size, count } = await findDirectory(file);
  if (size > maxDirectoryBytes) throw brokenZip(file, `a table of contents of ${size} bytes`);
  const directory = Buffer.from(await readPart(file, offset, size));
  const entries = new Map<string, ZipEntry>();
  let position = 0;
  for (let index = 0; index < count; index++) {
    if (position + directoryEntryBytes > size || directory.readUInt32LE(position) !== 0x02014b50) {
      throw brokenZip(file, `a table of contents that ends after ${index} of ${count} entries`);
    }
    const nameLength = directory.readUInt16LE(position + 28);
    const extraLength = directory.readUInt16LE(position + 30);
    const nameStart = position + directoryEntryBytes;
    const next = nameStart + nameLength + extraLength + directory.readUInt16LE(position + 32);
    if (next > size) throw brokenZip(file, 'a table of contents that is cut short');
    const name = directory.toString('utf8', nameStart, nameStart + nameLength);
    if (entries.has(name)) throw brokenZip(file, `${shown(name)} twice`);
    const extra = directory.subarray(nameStart + nameLength, nameStart + nameLength + extraLength);
    const read64 = wideValues(file, extra);
    // In this order the 64-bit values follow one another, those that are needed.
    const realSize = read64(directory.readUInt32LE(position + 24));
    read64(directory.readUInt32LE(position + 20));
    const headerOffset = read64(directory.readUInt32LE(position + 42));
    const isPlain = (directory.readUInt16LE(position + 8) & 1) === 0 && directory.readUInt16LE(position + 10) === 0;
    entries.set(name, { size: realSize, headerOffset, isPlain });
    position = next;
  }
  return entries;
}

/**
 * Where an entry's content starts. Throws a `UserError` where it is compressed or encrypted, its header damaged, or its
 * content past the end.
 */
export async function locateEntry(file: FileBytes, { size, headerOffset, isPlain }: ZipEntry): Promise<number> {
  if (!isPlain) throw refusedContent(file.path, 'entries that are compressed or encrypted');
  const header = Buffer.from(await readPart(file, headerOffset, localHeaderBytes));
  if (header.readUInt32LE() !== 0x04034b50) throw brokenZip(file, `no entry at byte ${headerOffset}`);
  const start = headerOffset + localHeaderBytes + header.readUInt16LE(26) + header.readUInt16LE(28);
  if (start + size > file.size) throw brokenZip(file, `an entry of ${size} bytes at byte ${start} of ${file.size}`);
  return start;
}

interface Directory {
  offset: number;
  size: number;
  count: number;
}

async function findDirectory(file: FileBytes): Promise<Directory> {
  const tailLength = Math.min(file.size, endBytes + maxCommentBytes);
  const tailStart = file.size - tailLength;
  const tail = Buffer.from(await file.read(tailStart, tailLength));
  for (let at = tailLength - endBytes; at >= 0; at--) {
    // The comment must end where the file does, lest its text pass for the record.
    if (tail.readUInt32LE(at) !== 0x06054b50 || at + endBytes + tail.readUInt16LE(at + 20) !== tailLength) continue;
    const count = tail.readUInt16LE(at + 10);
    const [size, offset] = [tail.readUInt32LE(at + 12), tail.readUInt32LE(at + 16)];
    if (count !== elsewhere16 && size !== elsewhere32 && offset !== elsewhere32) return { offset, size, count };
    return findWideDirectory(file, tailStart + at - locatorBytes);
  }
  throw brokenZip(file, 'no table of contents at its end');
}

async function findWideDirectory(file: FileBytes, locatorOffset: number): Promise<Directory> {
  const locator = Buffer.from(await readPart(file, locatorOffset, locatorBytes));
  if (locator.readUInt32LE() !== 0x07064b50) throw brokenZip(file, 'no 64-bit table of contents');
  const end = Buffer.from(await readPart(file, Number(locator.readBigUInt64LE(8)), end64Bytes));
  if (end.readUInt32LE() !== 0x06064b50) throw brokenZip(file, 'no 64-bit table of contents');
  const [count = 0, size = 0, offset = 0] = [32, 40, 48].map((at) => Number(end.readBigUInt64LE(at)));
  return { offset, size, count };
}

/** Replaces 32-bit values that stand for wider ones by the next of those in an entry's extra field. */
function wideValues(file: FileBytes, extra: Buffer): (narrow: number) => number {
  const wide: number[] = [];
  for (let at = 0; at + 4 <= extra.length; ) {
    const [kind, length] = [extra.readUInt16LE(at), extra.readUInt16LE(at + 2)];
    const end = Math.min(at + 4 + length, extra.length);
    if (kind === 1)
      for (let value = at + 4; value + 8 <= end; value += 8) wide.push(Number(extra.readBigUInt64LE(value)));
    at = at + 4 + length;
  }
  return (narrow) => {
    if (narrow !== elsewhere32) return narrow;
    const value = wide.shift();
    if (value === undefined) throw brokenZip(file, 'an entry without its 64-bit size');
    return value;
  };
}

async function readPart(file: FileBytes, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  if (offset < 0 || offset + length > file.size) {
    throw brokenZip(file, `a table of contents that points to byte ${offset + length} of ${file.size}`);
  }
  return file.read(offset, length);
}

function brokenZip({ path }: FileBytes, found: string): Error {
  return brokenFile(path, found, 'zip');
}
