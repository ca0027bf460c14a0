// Features of images on disk. Each process that finds new ones writes a segment of its own, features first and then
// their entries in the index, so that neither a kill nor another run at the same time leaves wrong ones: an entry without
// its features, and features that changed on the disk, don't fit their checksum.

import { randomBytes } from 'node:crypto';
import { close, open, read } from 'node:fs';
import { type FileHandle, mkdir, open as openFile, readdir, readFile, rm, statfs, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { writeAll } from '../atomic-file.js';
import { hasCode, isSystemError } from '../system-error.js';
import { encodeEntry, entryBytes, FeatureIndex, nameHash } from './feature-index.js';
import type { FileStamp } from './file-stamp.js';

// The callback forms take half the time of node:fs/promises.
const fileSystem = { open: promisify(open), read: promisify(read), close: promisify(close) };

/** Where an image's features lie. */
export interface FeaturePlace {
  segment: number;
  slot: number;
  checksum: number;
}

export interface NewFeatures {
  /** Of each image. */
  names: readonly string[];
  /** Of each image, from before it was decoded. */
  stamps: readonly FileStamp[];
  /** [images, size]. */
  features: Float32Array;
}

interface Segment {
  path: string;
  descriptor: Promise<number> | undefined;
}

/** This process's own segment. */
interface OwnSegment {
  number: number;
  data: FileHandle;
  index: FileHandle;
  slots: number;
}

/** Bytes that must stay free where features are kept, so that checkpoints find room. */
export const reservedBytes = 2 ** 30;

const indexEnding = '.index';
const dataEnding = '.features';

export class FeatureStore {
  readonly folder: string;
  /** Numbers that an image's features are made of. */
  readonly size: number;
  readonly #index: FeatureIndex;
  readonly #segments: (Segment | undefined)[];
  #own: OwnSegment | undefined;
  #isClosed = false;

  private constructor(folder: string, size: number, { index, segments }: { index: FeatureIndex; segments: Segment[] }) {
    this.folder = folder;
    this.size = size;
    this.#index = index;
    this.#segments = segments;
  }

  /** Opens what is kept in `folder`, which comes to be when something is added. Throws what the file system throws. */
  static async open(folder: string, size: number): Promise<FeatureStore> {
    const names = await readdir(folder).catch(() => []);
    const paths = names
      .filter((name) => name.endsWith(indexEnding))
      .sort()
      .map((name) => join(folder, name.slice(0, -indexEnding.length)));
    const indices = await Promise.all(paths.map((path) => readFile(path + indexEnding)));
    const segments = paths.map((path) => ({ path: path + dataEnding, descriptor: undefined }));
    // Tells that it is in use.
    if (names.length > 0) await utimes(folder, new Date(), new Date()).catch(() => {});
    return new FeatureStore(folder, size, { index: new FeatureIndex(indices), segments });
  }

  /** Whether there was nothing when it was opened. */
  get isEmpty(): boolean {
    return this.#index.count === 0;
  }

  /** Bytes that an image takes. */
  get bytesPerImage(): number {
    return 4 * this.size + entryBytes;
  }

  /** Free bytes where features are kept; undefined where the file system does not tell. */
  async freeBytes(): Promise<number | undefined> {
    for (let folder = this.folder; ; folder = join(folder, '..')) {
      try {
        const { bavail, bsize } = await statfs(folder);
        return bavail * bsize;
      } catch (error) {
        if (!hasCode(error, 'ENOENT') || folder === '/') return undefined;
      }
    }
  }

  /** What is kept of the file of that name; for the caller to see whether the file is still the same. */
  find(name: string): { place: FeaturePlace; stamp: FileStamp } | undefined {
    const { stamp, ...place } = this.#index.find(nameHash(name)) ?? {};
    return stamp && 'segment' in place ? { place: place as FeaturePlace, stamp } : undefined;
  }

  /** Whether the segment in which features lie is still there. */
  holds(segment: number): boolean {
    return this.#segments[segment] !== undefined;
  }

  /** Fills `into`, of `size` numbers. Returns false where the features are not there any more, or damaged. */
  async read({ segment: number, slot, checksum }: FeaturePlace, into: Float32Array): Promise<boolean> {
    const segment = this.#segments[number];
    if (!segment || this.#isClosed) return false;
    const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
    try {
      segment.descriptor ??= fileSystem.open(segment.path, 'r');
      const descriptor = await segment.descriptor;
      const { bytesRead } = await fileSystem.read(descriptor, bytes, 0, bytes.length, slot * bytes.length);
      return bytesRead === bytes.length && crc32(bytes) === checksum;
    } catch (error) {
      if (isSystemError(error)) return false;
      throw error;
    }
  }

  /** Keeps features, and returns where. Throws what the file system throws, and then keeps nothing more of this process. */
  async add({ names, stamps, features }: NewFeatures): Promise<FeaturePlace[]> {
    const own = await this.#ownSegment();
    const first = own.slots;
    const bytes = new Uint8Array(features.buffer, features.byteOffset, features.byteLength);
    const rowBytes = 4 * this.size;
    const places = names.map((_, i) => ({
      segment: own.number,
      slot: first + i,
      checksum: crc32(bytes.subarray(i * rowBytes, (i + 1) * rowBytes)),
    }));
    const entries = places.map((place, i) => {
      return encodeEntry(nameHash(names[i] ?? ''), { ...place, stamp: stamps[i] ?? { size: 0, mtimeMs: 0 } });
    });
    await writeAll(own.data, bytes);
    await writeAll(own.index, Buffer.concat(entries));
    own.slots += names.length;
    return places;
  }

  async #ownSegment(): Promise<OwnSegment> {
    if (this.#own) return this.#own;
    await mkdir(this.folder, { recursive: true });
    const path = join(this.folder, `${Date.now().toString(36).padStart(9, '0')}-${randomBytes(6).toString('hex')}`);
    const data = await openFile(path + dataEnding, 'wx');
    try {
      const index = await openFile(path + indexEnding, 'wx');
      const number = this.#segments.push({ path: path + dataEnding, descriptor: undefined }) - 1;
      this.#own = { number, data, index, slots: 0 };
      return this.#own;
    } catch (error) {
      await data.close();
      throw error;
    }
  }

  /** Makes room again: what this process has kept goes. */
  async dropOwn(): Promise<void> {
    const own = this.#own;
    const segment = own && this.#segments[own.number];
    if (!own || !segment) return;
    this.#own = undefined;
    this.#segments[own.number] = undefined;
    await Promise.all([own.data.close(), own.index.close(), this.#closeSegment(segment)]);
    await rm(segment.path.slice(0, -dataEnding.length) + indexEnding, { force: true });
    await rm(segment.path, { force: true });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([this.#own?.data.close(), this.#own?.index.close(), ...this.#segments.map(this.#closeSegment)]);
    this.#own = undefined;
  }

  readonly #closeSegment = async (segment: Segment | undefined): Promise<void> => {
    if (!segment) return;
    const { descriptor } = segment;
    segment.descriptor = undefined;
    await descriptor?.then(fileSystem.close).catch(() => {});
  };
}
