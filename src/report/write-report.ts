// Writes the page of a run's results beside its description.

import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { writeTextAtomically } from '../atomic-file.js';
import { readCsvRows } from '../reporting/csv.js';
import { readRunDescription, reportFile } from '../reporting/run-description.js';
import type { LeftOut } from '../training/bad-images.js';
import { runPage } from './run-page.js';
import { readTestDetail } from './test-detail.js';

/**
 * Writes the page of the run that a file describes and returns where it is: beside that file unless `output` says
 * otherwise. The run's other files are sought where they lie from there, so that outputs may have moved.
 * @throws UserError where there is no description; errors of the file system as they are.
 */
export async function writeReport(description: string, output = reportFile(tableOf(description))): Promise<string> {
  const run = readRunDescription(description);
  const test = readTestDetail(tableOf(description));
  writeTextAtomically(output, await runPage({ run, test, leftOut: readLeftOut(description) }));
  return output;
}

/** The table of results beside a description, whose names of all other files follow. */
export function tableOf(description: string): { results: string } {
  return { results: description.replace(/\.json$/, '.csv') };
}

/** Nothing where there is no list. */
function readLeftOut(description: string): LeftOut[] {
  const path = join(dirname(description), '..', 'logger', `${basename(description, '.json')}.bad.csv`);
  try {
    const { rows } = readCsvRows(readFileSync(path, 'utf8'));
    return rows.slice(1).map(([image = '', reason = '']) => ({ path: image, reason }));
  } catch {
    return [];
  }
}
