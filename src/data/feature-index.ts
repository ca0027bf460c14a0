// What a feature store knows of each image: which file it was, and where its features lie. An entry is 44 bytes,
// little-endian: 16 of the name's SHA-256, the file's size and time of change (float64), the place among the segment's
// features (uint32), the features' CRC-32, and the CRC-32 of the 40 bytes before.

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { FileStamp } from './file-stamp.js';

export interface IndexEntry {
  stamp: FileStamp;
  /** Position among the features of its segment, from 0. */
  slot: number;
  /** CRC-32 of the features. */
  checksum: number;
}

export const entryBytes = 44;
const nameBytes = 16;
const at = { size: 16, mtimeMs: 24, slot: 32, checksum: 36, own: 40 } as const;

/** What stands for an image's name in an entry. */
export function nameHash(name: string): Buffer {
  return createHash('sha256').update(name).digest().subarray(0, nameBytes);
}

export function encodeEntry(hash: Buffer, { stamp, slot, checksum }: IndexEntry): Buffer {
  const entry = Buffer.alloc(entryBytes);
  hash.copy(entry);
  entry.writeDoubleLE(stamp.size, at.size);
  entry.writeDoubleLE(stamp.mtimeMs, at.mtimeMs);
  entry.writeUInt32LE(slot, at.slot);
  entry.writeUInt32LE(checksum, at.checksum);
  entry.writeUInt32LE(crc32(entry.subarray(0, at.own)), at.own);
  return entry;
}

/** Finds entries by name among those of all segments. */
export class FeatureIndex {
  readonly #segments: readonly Buffer[];
  /** Entries of all segments. */
  readonly count: number;
  /** The number of each segment's first entry. */
  readonly #starts: number[] = [];
  /** Open addressing: the number of an entry, plus one. */
  readonly #table: Uint32Array;

  /** `segments` are index files, the older ones first; what follows the last whole entry of one is passed over. */
  constructor(segments: readonly Buffer[]) {
    this.#segments = segments;
    let count = 0;
    for (const { length } of segments) {
      this.#starts.push(count);
      count += Math.floor(length / entryBytes);
    }
    this.count = count;
    this.#table = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(4, 2 * count))));
    for (const [segment, bytes] of segments.entries()) {
      const start = this.#starts[segment] ?? 0;
      const end = Math.floor(bytes.length / entryBytes);
      for (let i = 0; i < end; i++) {
        const hash = bytes.subarray(i * entryBytes, i * entryBytes + nameBytes);
        this.#table[this.#placeOf(hash)] = start + i + 1;
      }
    }
  }

  /** The newest entry of that name; undefined where there is none, or it is damaged. */
  find(hash: Buffer): (IndexEntry & { segment: number }) | undefined {
    const number = (this.#table[this.#placeOf(hash)] ?? 0) - 1;
    if (number < 0) return undefined;
    const segment = this.#segmentOf(number);
    const entry = this.#entry(number);
    if (entry.readUInt32LE(at.own) !== crc32(entry.subarray(0, at.own))) return undefined;
    return {
      segment,
      stamp: { size: entry.readDoubleLE(at.size), mtimeMs: entry.readDoubleLE(at.mtimeMs) },
      slot: entry.readUInt32LE(at.slot),
      checksum: entry.readUInt32LE(at.checksum),
    };
  }

  /** Where in the table the entry of a name is, or would be. */
  #placeOf(hash: Buffer): number {
    const mask = this.#table.length - 1;
    for (let place = hash.readUInt32LE(0) & mask; ; place = (place + 1) & mask) {
      const number = this.#table[place] ?? 0;
      if (number === 0 || this.#entry(number - 1).compare(hash, 0, nameBytes, 0, nameBytes) === 0) return place;
    }
  }

  #entry(number: number): Buffer {
    const segment = this.#segmentOf(number);
    const first = (number - (this.#starts[segment] ?? 0)) * entryBytes;
    const bytes = this.#segments[segment] ?? Buffer.alloc(0);
    return bytes.subarray(first, first + entryBytes);
  }

  #segmentOf(number: number): number {
    let segment = this.#starts.length - 1;
    while (segment > 0 && (this.#starts[segment] ?? 0) > number) segment--;
    return segment;
  }
}
