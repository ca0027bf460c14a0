// `deep-cnn compare RUN RUN ...`: what runs were told and what came of them, side by side.

import { exitCode, UserError } from '../errors.js';
import type { Command } from '../options/command.js';
import { quoted } from '../options/given.js';
import { findRootDir } from '../options/paths.js';
import { flag, optionalText, type ValuesOf } from '../options/spec.js';
import { trainOptions } from '../options.js';
import { standardVoices, type Voices } from './voices.js';

const output = 'Output';

export const compareOptions = {
  root_dir: trainOptions.root_dir,
  json: flag({ group: output, help: 'Print JSON', default: false }),
  output: optionalText({
    group: output,
    type: 'file.html',
    help: 'Write a page, too, with the curves of all runs over each other',
  }),
};

type Values = ValuesOf<typeof compareOptions>;

export const compareCommand: Command<typeof compareOptions> = {
  name: 'compare',
  summary: 'Compare runs: options, losses, precisions, speed, data',
  options: compareOptions,
  operands: '<RUN | FILE.json> ...',
  offers: ['runs'],
  run: (values, operands) => runComparison(operands, values, standardVoices),
};

/** Compares and prints. Throws a `UserError` for runs that are not there, and where the page can't be written. */
export async function runComparison(
  operands: readonly string[],
  values: Values,
  { print, tell }: Voices,
): Promise<number> {
  if (operands.length < 2) {
    throw new UserError('Bad use of deep-cnn compare', {
      expected: 'the names of two runs or more after it',
      found: operands.length === 0 ? 'nothing' : operands.map(quoted).join(' '),
    });
  }
  const [{ findRun }, { compareRuns, formatComparison, named }] = await Promise.all([
    import('../report/find-run.js'),
    import('../report/comparison.js'),
  ]);
  const rootDir = findRootDir(values.root_dir);
  const runs = named(operands.map((operand) => findRun(operand, rootDir)));
  const comparison = compareRuns(runs);
  for (const warning of comparison.warnings) tell(`WARNING: ${warning}.`);
  print(values.json ? `${JSON.stringify(comparison, undefined, 2)}\n` : formatComparison(comparison));
  if (values.output !== undefined) {
    const [{ comparisonPage }, { toFile }] = await Promise.all([
      import('../report/comparison-page.js'),
      import('../reporting/row-output.js'),
    ]);
    const page = await comparisonPage(runs, comparison);
    await toFile(values.output, '--output', (write) => write(page));
  }
  return exitCode.ok;
}
