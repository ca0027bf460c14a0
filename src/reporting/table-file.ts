// A CSV file that is kept whole: each row is on disk when it is told, and whatever was cut, taken away or kept out by a
// full disk is made good with the next row.

import { closeSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeTextAtomically } from '../atomic-file.js';
import { appendWhole } from './append-whole.js';
import { once } from './once.js';

export interface TableFileSettings {
  path: string;
  /** What the file is to hold at first. */
  text: string;
  /** Whether it holds that already; else it is written anew. */
  isWritten: boolean;
  /** Hears, once, that rows could not be written; they are kept, and tried again with the next one and at the end. */
  onFailure: (error: unknown) => void;
}

export interface TableFile {
  /** Adds rows, with their line feeds. Never throws. */
  append(rows: string): void;
  close(): void;
}

/** Writes `text` at once, into a folder that is made if need be. */
export function createTableFile({ path, text, isWritten, onFailure }: TableFileSettings): TableFile {
  let whole = text;
  /** The end of `whole` that the file lacks. */
  let rest = isWritten ? '' : text;
  /** The file's bytes when it was last written; undefined until then. */
  let bytes = isWritten ? Buffer.byteLength(text) : undefined;
  const failOnce = once(onFailure);
  const write = () => {
    try {
      // Anew where the file is not what was written: gone, or cut by a full disk.
      if (bytes !== undefined && statSync(path, { throwIfNoEntry: false })?.size === bytes) {
        append(path, rest);
        bytes += Buffer.byteLength(rest);
      } else {
        bytes = replace(path, whole);
      }
      rest = '';
    } catch (error) {
      failOnce(error);
    }
  };
  if (!isWritten) write();
  return {
    append: (rows) => {
      whole += rows;
      rest += rows;
      write();
    },
    close: () => {
      if (rest !== '') write();
    },
  };
}

/** No half a row stays; where one does nevertheless, the file's size tells the next time. */
function append(path: string, text: string): void {
  const descriptor = openSync(path, 'a');
  try {
    appendWhole(descriptor, Buffer.from(text));
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function replace(path: string, text: string): number {
  mkdirSync(dirname(path), { recursive: true });
  writeTextAtomically(path, text);
  return Buffer.byteLength(text);
}
