// Which images of a list have their features kept in a store.

import { isDiskFull, isSystemError } from '../system-error.js';
import type { FeatureStore } from './feature-store.js';
import { type FileStamp, isUnchanged, stampOf } from './file-stamp.js';
import type { ImageList } from './image-list.js';
import { forEachIndex } from './many-files.js';

/** Files that are asked for their stamps: more than are read, as nothing of them is. */
const stampsAtOnce = 64;

/** What becomes of features that can't be kept or read. */
export interface FeatureTrouble {
  /** False once no more are to be written. */
  readonly isKeeping: boolean;
  /** Features could not be written. */
  notKept(error: Error): void;
  /** Features that were kept are damaged; they are computed again. */
  damaged(path: string): void;
}

export interface FeatureListOptions {
  images: ImageList;
  store: FeatureStore;
  /** The name by which a file is known wherever the data lies. */
  nameOf: (path: string) => string;
  trouble: FeatureTrouble;
}

export class FeatureList {
  readonly images: ImageList;
  readonly store: FeatureStore;
  readonly #nameOf: (path: string) => string;
  readonly #trouble: FeatureTrouble;
  /** Of each image, plus one: 0 where its features are not kept. */
  readonly #segments: Uint32Array;
  readonly #slots: Uint32Array;
  readonly #checksums: Uint32Array;

  private constructor({ images, store, nameOf, trouble }: FeatureListOptions) {
    this.images = images;
    this.store = store;
    this.#nameOf = nameOf;
    this.#trouble = trouble;
    this.#segments = new Uint32Array(images.length);
    this.#slots = new Uint32Array(images.length);
    this.#checksums = new Uint32Array(images.length);
  }

  /** Looks which images are kept, and are the files that they were: of the same size, and not changed since. */
  static async open(options: FeatureListOptions): Promise<FeatureList> {
    const list = new FeatureList(options);
    const { images, store, nameOf } = options;
    if (store.isEmpty) return list;
    const lookUp = async (index: number) => {
      const { path } = images.at(index);
      const found = store.find(nameOf(path));
      if (!found) return;
      if (await isUnchanged(path, found.stamp)) list.#note(index, found.place);
    };
    await forEachIndex(images.length, lookUp, stampsAtOnce);
    return list;
  }

  /** How many images are kept. */
  get keptCount(): number {
    return this.#segments.reduce((count, segment) => count + (segment === 0 ? 0 : 1), 0);
  }

  isKept(index: number): boolean {
    const segment = this.#segments[index] ?? 0;
    return segment > 0 && this.store.holds(segment - 1);
  }

  /** Fills `into` with an image's features. Returns false where they have to be computed again. */
  async read(index: number, into: Float32Array): Promise<boolean> {
    if (!this.isKept(index)) return false;
    const segment = (this.#segments[index] ?? 0) - 1;
    const place = { segment, slot: this.#slots[index] ?? 0, checksum: this.#checksums[index] ?? 0 };
    if (await this.store.read(place, into)) return true;
    if (this.isKept(index)) this.#trouble.damaged(this.images.at(index).path);
    this.#segments[index] = 0;
    return false;
  }

  /** The files as they are now, to be asked before they are decoded. */
  async stampsOf(indices: Uint32Array): Promise<Map<number, FileStamp>> {
    const stamps = new Map<number, FileStamp>();
    const look = async (position: number) => {
      const index = indices[position] ?? 0;
      stamps.set(index, (await stampOf(this.images.at(index).path)) ?? unknown);
    };
    await forEachIndex(indices.length, look, stampsAtOnce);
    return stamps;
  }

  /** Keeps the features of some images, [indices.length, size], unless there was trouble before. */
  async keep(indices: Uint32Array, stamps: ReadonlyMap<number, FileStamp>, features: Float32Array): Promise<void> {
    if (!this.#trouble.isKeeping || indices.length === 0) return;
    const names = Array.from(indices, (index) => this.#nameOf(this.images.at(index).path));
    const known = Array.from(indices, (index) => stamps.get(index) ?? unknown);
    try {
      const places = await this.store.add({ names, stamps: known, features });
      for (const [i, place] of places.entries()) this.#note(indices[i] ?? 0, place);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.#trouble.notKept(error);
      // Checkpoints need the room more.
      if (isDiskFull(error)) await this.store.dropOwn();
    }
  }

  #note(index: number, { segment, slot, checksum }: { segment: number; slot: number; checksum: number }): void {
    this.#segments[index] = segment + 1;
    this.#slots[index] = slot;
    this.#checksums[index] = checksum;
  }
}

/** No file is like this one. */
const unknown: FileStamp = { size: Number.NaN, mtimeMs: Number.NaN };
