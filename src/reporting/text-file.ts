import { readFileSync } from 'node:fs';
import { hasCode } from '../system-error.js';

/** A file's text; an empty one where there is no such file. */
export function readTextIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return '';
    throw error;
  }
}
