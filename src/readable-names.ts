import { readdirSync } from 'node:fs';

/** The names in a folder, in order, or none where it can't be read: for what may not be there yet. */
export function readableNames(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
