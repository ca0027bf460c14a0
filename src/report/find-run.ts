// The run that a word on the command line means.

import { basename, resolve } from 'node:path';
import { findRunDescription } from '../reporting/find-run-description.js';
import { type RunDescription, readRunDescription } from '../reporting/run-description.js';

/**
 * The latest run of a name, or the one that a file whose name ends with .json describes.
 * @throws UserError where there is none.
 */
export function findRun(word: string, rootDir: string): RunDescription & { path: string } {
  if (word.endsWith('.json') || word !== basename(word)) {
    const path = resolve(word);
    return { ...readRunDescription(path), path };
  }
  return findRunDescription({ root_dir: rootDir, run_name: word });
}
