// How much room files take.

import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The bytes of all files in and below a folder (or of one file); links are not followed, and what is gone counts 0. */
export function folderBytes(path: string): number {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isDirectory()) return stat?.size ?? 0;
  try {
    return readdirSync(path).reduce((total, name) => total + folderBytes(join(path, name)), 0);
  } catch {
    return 0;
  }
}
