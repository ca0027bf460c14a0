// A text file that grows line by line, each written at once and whole. What a full disk or a missing folder keeps out is
// written when there is room again.
import { closeSync, fstatSync, mkdirSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { appendWhole } from './append-whole.js';
import { once } from './once.js';

export interface LineFileSettings {
  path: string;
  /** Hears, once, that lines could not be written. */
  onFailure: (error: unknown) => void;
  /** The line that stands for so many that were given up. */
  missing: (lines: number) => string;
}

export interface LineFile {
  /** Appends a line, without its line feed. Never throws. */
  write(line: string): void;
  /** Tries once more to write what could not be written. */
  close(): void;
}

/** Lines that are kept for later; of more than these, the newest are given up. */
const keptLines = 1000;

export function createLineFile({ path, onFailure, missing }: LineFileSettings): LineFile {
  const unwritten: string[] = [];
  let givenUp = 0;
  const failOnce = once(onFailure);
  const writeAll = () => {
    const lines = givenUp === 0 ? unwritten : [...unwritten, missing(givenUp)];
    try {
      appendLines(path, lines);
      unwritten.length = 0;
      givenUp = 0;
    } catch (error) {
      failOnce(error);
    }
  };
  return {
    write: (line) => {
      if (givenUp > 0) writeAll();
      if (unwritten.length < keptLines) unwritten.push(line);
      else givenUp += 1;
      if (givenUp === 0) writeAll();
    },
    close: () => {
      if (unwritten.length > 0) writeAll();
    },
  };
}

/** Appends all of the lines or none. */
function appendLines(path: string, lines: readonly string[]): void {
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(path, 'a+');
  try {
    appendWhole(file, Buffer.from(`${isFreshLine(file) ? '' : '\n'}${lines.join('\n')}\n`));
  } finally {
    closeSync(file);
  }
}

/** Whether the file ends with a whole line: a writer that was killed may have left the start of one. */
function isFreshLine(file: number): boolean {
  const { size } = fstatSync(file);
  if (size === 0) return true;
  const last = Buffer.alloc(1);
  readSync(file, last, 0, 1, size - 1);
  return last[0] === 0x0a;
}
