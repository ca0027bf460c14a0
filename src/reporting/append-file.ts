// A file that only grows, piece by piece: none is ever half written and followed by another, whatever the disk does.
import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { appendWhole } from './append-whole.js';
import { once } from './once.js';

export interface AppendFile {
  /** Appends a piece at once, after those that could not be written before. With `flush` it is on disk afterwards. */
  append(piece: Uint8Array, how?: { flush: boolean }): void;
  /** Tries once more to write what could not be written. */
  close(): void;
}

export interface AppendFileSettings {
  path: string;
  /** Hears, once, that pieces could not be written; they are kept, and tried again with the next one. */
  onFailure: (error: unknown) => void;
}

/** The file and its folder are created with the first piece. Nothing here throws: training goes on without the file. */
export function createAppendFile({ path, onFailure }: AppendFileSettings): AppendFile {
  let unwritten: Uint8Array[] = [];
  let descriptor: number | undefined;
  const failOnce = once(onFailure);

  const write = (flush: boolean) => {
    try {
      if (descriptor === undefined) {
        mkdirSync(dirname(path), { recursive: true });
        descriptor = openSync(path, 'a');
      }
      appendWhole(descriptor, Buffer.concat(unwritten));
      unwritten = [];
      if (flush) fsyncSync(descriptor);
    } catch (error) {
      closeQuietly();
      failOnce(error);
    }
  };
  const closeQuietly = () => {
    if (descriptor === undefined) return;
    try {
      closeSync(descriptor);
    } catch {
      // Some file systems tell of a full disk only now; the pieces that were kept are written again.
    }
    descriptor = undefined;
  };

  return {
    append: (piece, { flush } = { flush: false }) => {
      unwritten.push(piece);
      write(flush);
    },
    close: () => {
      if (unwritten.length > 0) write(true);
      closeQuietly();
    },
  };
}
