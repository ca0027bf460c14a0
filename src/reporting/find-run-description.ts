// Finds what runs were, by their names.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, UserError } from '../errors.js';
import { parseDescription, type RunDescription } from './run-description.js';

/**
 * The latest description of the run of a name.
 * @throws UserError when there is none, or the latest can't be read.
 */
export function findRunDescription(place: { root_dir: string; run_name: string }): RunDescription & { path: string } {
  const folder = resultsFolder(place.root_dir);
  const found = describedRuns(folder);
  const latest = latestOf(found, place.run_name);
  if (latest) return latest;
  const names = [...new Set(found.map(({ options }) => String(options['run_name'])))].sort();
  throw new UserError(`There is no description of a run '${place.run_name}'`, {
    expected: names.length > 0 ? `one of ${names.join(', ')}` : `a file ${join(folder, `${place.run_name}*.json`)}`,
    mend: 'Name a run of this program, and with --root_dir the folder that holds its outputs',
  });
}

/**
 * The same without reading other runs' descriptions, for those who ask often; undefined where there is none, or none can be
 * read.
 */
export function latestRunDescription(place: { root_dir: string; run_name: string }): RunDescription | undefined {
  const folder = resultsFolder(place.root_dir);
  if (!existsSync(folder)) return undefined;
  const { run_name: run } = place;
  const isItsOwn = (name: string) => name.startsWith(run) && stamped.test(name.slice(run.length));
  return latestOf(describedRuns(folder, isItsOwn), run);
}

/** What follows a run's name in the names of its descriptions. */
const stamped = /^\d{8}_\d\d-\d\d-\d\d(-\d+)?\.json$/;

const resultsFolder = (rootDir: string) => join(rootDir, 'outputs', 'results');

function latestOf<T extends RunDescription>(described: readonly T[], run: string): T | undefined {
  const own = described.filter(({ options }) => options['run_name'] === run);
  return own.sort((a, b) => a.started.localeCompare(b.started)).at(-1);
}

/** All descriptions in a folder that can be read, of the files whose names are wanted. */
function describedRuns(
  folder: string,
  isWanted: (name: string) => boolean = () => true,
): (RunDescription & { path: string })[] {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith('.json') && !name.endsWith('.test.json'));
  } catch (error) {
    throw new UserError(`Cannot read '${folder}'`, { found: messageOf(error) }, { cause: error });
  }
  return names.filter(isWanted).flatMap((name) => {
    const path = join(folder, name);
    try {
      return { ...parseDescription(readFileSync(path, 'utf8')), path };
    } catch {
      return [];
    }
  });
}
