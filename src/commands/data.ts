// `deep-cnn data check DIR`: looks at every image before a long run does.

import { accessSync, constants, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { setDecodeThreads } from '../data/threads.js';
import { exitCode, messageOf, UserError } from '../errors.js';
import type { Command } from '../options/command.js';
import { quoted } from '../options/given.js';
import { didYouMean, nearest } from '../options/nearest.js';
import { projectRoot } from '../options/paths.js';
import { flag, optionalText, type ValuesOf } from '../options/spec.js';
import { trainOptions } from '../options.js';
import { standardVoices, type Voices } from './voices.js';

const output = 'Output';

export const dataOptions = {
  val_split: trainOptions.val_split,
  exif: trainOptions.exif,
  workers: trainOptions.workers,
  json: flag({ group: output, help: 'Print everything that was found as JSON', default: false }),
  csv: optionalText({
    group: output,
    help: 'File for a table of all unreadable, duplicate and small files',
    type: 'file',
  }),
};

export const dataCommand: Command<typeof dataOptions> = {
  name: 'data',
  summary: 'Check a folder of images: unreadable files, duplicates, leaks into the test, class counts',
  options: dataOptions,
  operands: '<check DIR>',
  offers: [['check'], []],
  run: (values, operands) => runData(operands, values, standardVoices),
};

/**
 * Does what the words after `data` say. Returns 0, or 2 where something was found that would stop a run or make its
 * results mislead. Throws a `UserError` for a mistake in the words or options.
 */
export async function runData(
  operands: readonly string[],
  values: ValuesOf<typeof dataOptions>,
  { print }: Pick<Voices, 'print'>,
): Promise<number> {
  const dataDir = findFolder(readOperands(operands));
  const csvPath = values.csv === undefined ? undefined : writablePath(values.csv);
  // Before anything else: the thread pool takes its size when it is first used.
  setDecodeThreads(values.workers);
  await requireDecoders();
  const [{ checkDataset }, { preprocessings }, { createScanProgress }, report] = await Promise.all([
    import('../data/check.js'),
    import('../data/preprocessing.js'),
    import('../reporting/scan-progress.js'),
    import('./data-report.js'),
  ]);
  const { val_split: valSplit, workers } = values;
  const progress = createScanProgress(process.stderr);
  const titles = { decode: 'Decoding', size: 'Listing', compare: 'Comparing' };
  const findings = await checkDataset(dataDir, {
    valSplit,
    workers,
    preprocessing: { ...preprocessings.resnet, exif: values.exif },
    onProgress: (phase, done, total) => progress.update(titles[phase], done, total),
  }).finally(() => progress.close());

  const checked = { dataDir, valSplit, findings };
  const judged = report.judge(checked);
  print(values.json ? report.reportJson(checked, judged) : report.formatReport(checked, judged));
  if (csvPath !== undefined) await writeTable(csvPath, report.reportCsv(checked));
  return judged.some(({ isProblem }) => isProblem) ? exitCode.userError : exitCode.ok;
}

function readOperands([verb, folder, ...more]: readonly string[]): string {
  if (verb === 'check' && folder !== undefined && more.length === 0) return folder;
  const suggestion = verb === undefined || verb === 'check' ? undefined : nearest(verb, ['check']);
  const found = [verb, folder, ...more].filter((word) => word !== undefined);
  throw new UserError('Bad use of deep-cnn data', {
    expected: 'check and one folder after it',
    found: found.length === 0 ? 'nothing' : found.map(quoted).join(' '),
    mend: didYouMean(suggestion, 'See deep-cnn data --help'),
  });
}

/** The folder that `--data_dir` would find with the default `--root_dir`. */
function findFolder(given: string): string {
  return [resolve(projectRoot(), given), resolve(given)].find(isFolder) ?? resolve(given);
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** The absolute path of a file to be written: that it can't be is told now, not after hours. */
function writablePath(given: string): string {
  const path = resolve(given);
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory()) throw new Error('it is a folder');
    accessSync(dirname(path), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unwritable(path, error);
  }
  return path;
}

async function writeTable(path: string, table: string): Promise<void> {
  const { writeTextAtomically } = await import('../atomic-file.js');
  try {
    writeTextAtomically(path, table);
  } catch (error) {
    throw unwritable(path, error);
  }
}

function unwritable(path: string, error: unknown): UserError {
  const reason = messageOf(error);
  const parts = { expected: 'a file that can be written', found: `${quoted(path)}: ${reason}` };
  return new UserError('Bad value for csv', parts, { cause: error });
}

/** Set-up brings the decoders along with TensorFlow. */
async function requireDecoders(): Promise<void> {
  const { installedAddons } = await import('../tensorflow/image-square.js');
  if (installedAddons() !== undefined) return;
  const { ensureTensorflow } = await import('../tensorflow/install.js');
  await ensureTensorflow({ variant: 'auto' });
}
