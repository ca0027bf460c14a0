// Decoded images that are kept: in memory for the rest of a run, or on disk for the next ones as well. Used by the
// decoding thread.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { isSystemError } from '../system-error.js';
import { type FeaturePlace, FeatureStore, reservedBytes } from './feature-store.js';
import { type FileStamp, isUnchanged, stampOf } from './file-stamp.js';
import type { Preprocessing } from './preprocessing.js';

export type CacheSettings =
  /** As many as fit into `bytes`. */
  | { kind: 'ram'; bytes: number }
  /** In a folder below `folder`. `dataDir` is what images' paths begin with: below it they are known by their names. */
  | { kind: 'disk'; folder: string; dataDir: string };

/** Pixels of images of one size, [crop, crop, 3] bytes. */
export interface PixelCache {
  /** Fills `into`; false where the image is not kept, or not the same any more. */
  read(path: string, into: Uint8Array): Promise<boolean>;
  /** What `keep` is to be told, from before the image is decoded; undefined where it can't be kept. */
  stamp(path: string): Promise<FileStamp | undefined>;
  keep(path: string, stamp: FileStamp, pixels: Uint8Array): Promise<void>;
  /** Why no more images are kept: once, when that has happened. */
  takeTrouble(): string | undefined;
}

/** Raised when images that were kept before would be others now. */
const formatVersion = 1;

/** Opens the cache for images of one preprocessing; what is kept of others does not count. */
export function openPixelCache(settings: CacheSettings, preprocessing: Preprocessing): PixelCache {
  const imageBytes = preprocessing.crop ** 2 * 3;
  return settings.kind === 'ram'
    ? new MemoryCache(imageBytes, settings.bytes)
    : new DiskCache({ ...settings, preprocessing, imageBytes });
}

/** Images in one allocation. */
const imagesAtOnce = 64;
const noStamp: FileStamp = { size: 0, mtimeMs: 0 };

/** Whether images are kept, until something is in the way. */
class Keeping {
  #isOn = true;
  #untold: string | undefined;

  get isOn(): boolean {
    return this.#isOn;
  }

  stop(trouble: string): void {
    if (this.#isOn) this.#untold = trouble;
    this.#isOn = false;
  }

  takeTrouble(): string | undefined {
    const trouble = this.#untold;
    this.#untold = undefined;
    return trouble;
  }
}

class MemoryCache implements PixelCache {
  readonly #imageBytes: number;
  readonly #most: number;
  readonly #keeping = new Keeping();
  readonly #numbers = new Map<string, number>();
  readonly #blocks: Uint8Array[] = [];

  constructor(imageBytes: number, bytes: number) {
    this.#imageBytes = imageBytes;
    this.#most = Math.floor(bytes / imageBytes);
  }

  async read(path: string, into: Uint8Array): Promise<boolean> {
    const number = this.#numbers.get(path);
    if (number === undefined) return false;
    into.set(this.#placeOf(number));
    return true;
  }

  async stamp(): Promise<FileStamp | undefined> {
    return this.#keeping.isOn && this.#numbers.size < this.#most ? noStamp : undefined;
  }

  async keep(path: string, _: FileStamp, pixels: Uint8Array): Promise<void> {
    if (!this.#keeping.isOn || this.#numbers.size >= this.#most || this.#numbers.has(path)) return;
    const number = this.#numbers.size;
    if (number % imagesAtOnce === 0 && !this.#addBlock()) return;
    this.#placeOf(number).set(pixels);
    this.#numbers.set(path, number);
  }

  takeTrouble(): string | undefined {
    return this.#keeping.takeTrouble();
  }

  /** False where memory has no room for it. */
  #addBlock(): boolean {
    try {
      this.#blocks.push(new Uint8Array(imagesAtOnce * this.#imageBytes));
      return true;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#keeping.stop(`Memory has no room for more than ${this.#numbers.size} decoded images (${error.message})`);
      return false;
    }
  }

  #placeOf(number: number): Uint8Array {
    const block = this.#blocks[Math.floor(number / imagesAtOnce)];
    if (!block) throw new Error('internal: an image is kept nowhere');
    const start = (number % imagesAtOnce) * this.#imageBytes;
    return block.subarray(start, start + this.#imageBytes);
  }
}

interface DiskCacheOptions {
  folder: string;
  dataDir: string;
  preprocessing: Preprocessing;
  imageBytes: number;
}

/** A feature store whose features are pixels, four to a number. */
class DiskCache implements PixelCache {
  readonly #options: DiskCacheOptions;
  readonly #store: Promise<FeatureStore | undefined>;
  /** Images that were found to be what they were. */
  readonly #places = new Map<string, FeaturePlace>();
  /** Segments are written by one at a time. */
  #writing: Promise<void> = Promise.resolve();
  readonly #keeping = new Keeping();
  #freeBytes = Number.POSITIVE_INFINITY;

  constructor(options: DiskCacheOptions) {
    this.#options = options;
    this.#store = this.#open();
  }

  async #open(): Promise<FeatureStore | undefined> {
    const { folder, preprocessing, imageBytes } = this.#options;
    const { resize, crop, interpolation, exif = false } = preprocessing;
    const key = JSON.stringify([formatVersion, resize, crop, interpolation, exif]);
    const name = createHash('sha256').update(key).digest('hex').slice(0, 16);
    try {
      const store = await FeatureStore.open(join(folder, name), Math.ceil(imageBytes / 4));
      this.#freeBytes = (await store.freeBytes()) ?? Number.POSITIVE_INFINITY;
      return store;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.#keeping.stop(`Decoded images can't be kept in ${folder} (${error.message})`);
      return undefined;
    }
  }

  async read(path: string, into: Uint8Array): Promise<boolean> {
    const store = await this.#store;
    const place = store && (this.#places.get(path) ?? (await this.#find(store, path)));
    if (!place) return false;
    const isAligned = into.byteOffset % 4 === 0 && into.length % 4 === 0;
    const numbers = isAligned
      ? new Float32Array(into.buffer, into.byteOffset, into.length / 4)
      : new Float32Array(store.size);
    if (!(await store.read(place, numbers))) {
      this.#places.delete(path);
      return false;
    }
    if (!isAligned) into.set(new Uint8Array(numbers.buffer, 0, into.length));
    return true;
  }

  async #find(store: FeatureStore, path: string): Promise<FeaturePlace | undefined> {
    const found = store.find(this.#nameOf(path));
    if (!found) return undefined;
    if (!(await isUnchanged(path, found.stamp))) return undefined;
    this.#places.set(path, found.place);
    return found.place;
  }

  stamp(path: string): Promise<FileStamp | undefined> {
    return this.#keeping.isOn ? stampOf(path) : Promise.resolve(undefined);
  }

  keep(path: string, stamp: FileStamp, pixels: Uint8Array): Promise<void> {
    const features = new Float32Array(Math.ceil(pixels.length / 4));
    new Uint8Array(features.buffer).set(pixels);
    this.#writing = this.#writing.then(() => this.#write(path, stamp, features));
    return this.#writing;
  }

  takeTrouble(): string | undefined {
    return this.#keeping.takeTrouble();
  }

  async #write(path: string, stamp: FileStamp, features: Float32Array): Promise<void> {
    const store = await this.#store;
    if (!store || !this.#keeping.isOn) return;
    this.#freeBytes -= store.bytesPerImage;
    const { folder } = this.#options;
    if (this.#freeBytes < reservedBytes) {
      const left = `${reservedBytes / 2 ** 30} GB is left to checkpoints`;
      this.#keeping.stop(`There is no room for more decoded images in ${folder}, where ${left}`);
      return;
    }
    try {
      const [place] = await store.add({ names: [this.#nameOf(path)], stamps: [stamp], features });
      if (place) this.#places.set(path, place);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      // A full disk: what this process has kept goes, and images are decoded as ever.
      this.#keeping.stop(`Decoded images can't be kept in ${folder} any more (${error.message})`);
      this.#places.clear();
      await store.dropOwn();
    }
  }

  #nameOf(path: string): string {
    const { dataDir } = this.#options;
    return path.startsWith(dataDir) ? path.slice(dataDir.length) : path;
  }
}
