// How much room files take, and how to say it.

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

/** Bytes as a person reads them: `259 MB`, `1.3 GB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3), units.length - 1);
  const value = bytes / 1000 ** power;
  return `${power < 3 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}
