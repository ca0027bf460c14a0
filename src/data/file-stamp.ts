// Whether a file is still the one that it was.

import { stat } from 'node:fs/promises';
import { ifReadable } from './many-files.js';

/** Tells that a file is still what it was. */
export interface FileStamp {
  /** In bytes. */
  size: number;
  /** Time of the last change, in milliseconds since 1970. */
  mtimeMs: number;
}

/** The file as it is now; undefined where the file system fails. */
export async function stampOf(path: string): Promise<FileStamp | undefined> {
  const found = await ifReadable(() => stat(path));
  return found && { size: found.size, mtimeMs: found.mtimeMs };
}

/** Whether the file at `path` is still the one with that stamp. */
export async function isUnchanged(path: string, { size, mtimeMs }: FileStamp): Promise<boolean> {
  const now = await stampOf(path);
  return now?.size === size && now.mtimeMs === mtimeMs;
}
