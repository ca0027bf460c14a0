// The files of an evaluation: each appears whole, and evaluation.json, which names them, last.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeTextAtomically } from '../../atomic-file.js';
import { csvRow } from '../../reporting/csv.js';
import { renderPlot } from '../../reporting/plot.js';
import { cannotWrite } from '../../reporting/run-files.js';
import type { ConfusionMatrix } from './confusion.js';
import type { EvaluationResult } from './evaluation.js';
import { calibrationPlot, confusionPlot } from './plots.js';

export interface EvaluationFilesSettings<About> {
  folder: string;
  classes: readonly string[];
  confusion: ConfusionMatrix;
  result: EvaluationResult;
  /** What evaluation.json is to say besides. */
  about: About;
  /** For the plots. */
  title: string;
}

/**
 * Writes them into a folder that is made if need be, and returns what evaluation.json holds.
 * @throws UserError where the file system refuses.
 */
export async function writeEvaluation<About extends object>({
  folder,
  classes,
  confusion,
  result,
  about,
  title,
}: EvaluationFilesSettings<About>): Promise<About & EvaluationResult & { folder: string; files: string[] }> {
  const texts: readonly (readonly [name: string, text: string])[] = [
    ['classes.csv', classTable(result)],
    ['confusion.csv', confusionTable(confusion, classes)],
    ['confusion.svg', await renderPlot(confusionPlot(confusion, classes, title))],
    ['calibration.svg', await renderPlot(calibrationPlot(result.calibration, title))],
  ];
  const description = { ...about, ...result, folder, files: texts.map(([name]) => name) };
  try {
    await mkdir(folder, { recursive: true });
    for (const [name, text] of texts) writeTextAtomically(join(folder, name), text);
    writeTextAtomically(join(folder, 'evaluation.json'), `${JSON.stringify(description, undefined, 2)}\n`);
  } catch (error) {
    throw cannotWrite(folder, error, '--output');
  }
  return description;
}

/** Percentages have four decimals; empty cells are what can't be said of a class. */
function classTable({ classes }: EvaluationResult): string {
  const cell = (value: number | null) => (value === null ? '' : value.toFixed(4));
  const rows = classes.map(({ name, support, precision, recall, f1 }) =>
    csvRow([name, String(support), cell(precision), cell(recall), cell(f1)]),
  );
  return [csvRow(['class', 'images', 'precision', 'recall', 'f1']), ...rows].join('');
}

/** Rows are the images' own classes, columns what they are taken for. */
function confusionTable(confusion: ConfusionMatrix, classes: readonly string[]): string {
  const rows = classes.map((name, actual) => csvRow([name, ...Array.from(confusion.row(actual), String)]));
  return [csvRow(['class', ...classes]), ...rows].join('');
}
