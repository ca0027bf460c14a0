// What a sweep has found: a table of its trials for programs, and a page for people.

import { join } from 'node:path';
import { writeTextAtomically } from '../atomic-file.js';
import { csvRow } from '../reporting/csv.js';
import { cannotWrite } from '../reporting/run-files.js';
import { chosenNames } from './choice.js';
import { metrics } from './definition.js';
import { type SweepReport, sweepPage } from './report-page.js';

/** Writes trials.csv, importance.csv and report.html into the sweep's folder, and returns their paths. */
export async function writeSweepReport(folder: string, report: SweepReport): Promise<string[]> {
  const importance = Object.entries(report.importance).map(([name, share]) => csvRow([name, String(share)]));
  const files = [
    ['trials.csv', trialTable(report)],
    ['importance.csv', [csvRow(['parameter', 'importance']), ...importance].join('')],
    ['report.html', await sweepPage(report)],
  ] as const;
  return files.map(([name, text]) => {
    const path = join(folder, name);
    try {
      writeTextAtomically(path, text);
    } catch (error) {
      throw cannotWrite(path, error);
    }
    return path;
  });
}

function trialTable({ name, state }: SweepReport): string {
  const chosen = chosenNames(state.trials);
  const head = ['trial', 'run', 'state', 'value', 'epoch', ...metrics, ...chosen, 'failures', 'started', 'ended'];
  const rows = state.trials.map(({ number, state, value, attributes, params, started, ended }) => {
    const measured = [attributes.epoch, ...metrics.map((metric) => attributes[metric])];
    return [
      ...[number, `${name}-${number}`, state, value, ...measured, ...chosen.map((each) => params[each])],
      ...[attributes.failures?.length ?? 0, started, ended],
    ].map((cell) => String(cell ?? ''));
  });
  return [head, ...rows].map(csvRow).join('');
}
