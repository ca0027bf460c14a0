// `deep-cnn report RUN`: the page of a run's results, for runs that have none, or whose page is to be made anew.

import { resolve } from 'node:path';
import { setDecodeThreads } from '../data/threads.js';
import { exitCode, UserError } from '../errors.js';
import type { Command } from '../options/command.js';
import { computeOptions } from '../options/network-options.js';
import { findRootDir } from '../options/paths.js';
import { flag, type ValuesOf } from '../options/spec.js';
import { trainOptions } from '../options.js';
import type { RunDescription } from '../reporting/run-description.js';
import { isSystemError } from '../system-error.js';
import { standardVoices, type Voices } from './voices.js';

const output = 'Output';

export const reportOptions = {
  root_dir: trainOptions.root_dir,
  evaluate: flag({
    group: output,
    help: 'Where nothing is kept of the single images and classes of the test, run the network on the test images again',
    default: true,
  }),
  png: flag({ group: output, help: 'Write the plots as PNG files, too', default: false }),
  ...computeOptions,
};

type Values = ValuesOf<typeof reportOptions>;

export const reportCommand: Command<typeof reportOptions> = {
  name: 'report',
  summary: "Write the page of a run's results: curves, test, confusions, worst images",
  options: reportOptions,
  operands: '<RUN | FILE.json> ...',
  offers: ['runs'],
  run: (values, operands) => runReports(operands, values, standardVoices),
};

/** Writes a page for each run and prints where. Throws a `UserError` for runs that are not there. */
export async function runReports(
  operands: readonly string[],
  values: Values,
  { print, tell }: Voices,
): Promise<number> {
  if (operands.length === 0) {
    throw new UserError('Bad use of deep-cnn report', { expected: 'the name of a run after it', found: 'nothing' });
  }
  // Before anything else: the thread pool takes its size when it is first used.
  setDecodeThreads(values.workers);
  const { findRun } = await import('../report/find-run.js');
  const runs = operands.map((operand) => findRun(operand, findRootDir(values.root_dir)));
  for (const run of runs) {
    for (const path of await writeOne(run, values, tell)) print(`Wrote ${path}\n`);
  }
  return exitCode.ok;
}

type FoundRun = RunDescription & { path: string };

async function writeOne(run: FoundRun, values: Values, tell: Voices['tell']): Promise<string[]> {
  const [{ readTestDetail }, { tableOf, writeReport }, { cannotWrite }] = await Promise.all([
    import('../report/test-detail.js'),
    import('../report/write-report.js'),
    import('../reporting/run-files.js'),
  ]);
  const files = tableOf(run.path);
  try {
    if (values.evaluate && run.test && !readTestDetail(files)) await testAgain(run, values, tell);
    const page = await writeReport(run.path);
    if (!values.png) return [page];
    const { writePlots } = await import('../report/plot-files.js');
    return [page, ...(await writePlots(page.replace(/\.html$/, ''), run, readTestDetail(files)))];
  } catch (error) {
    throw isSystemError(error) ? cannotWrite(run.path, error) : error;
  }
}

/** Keeps what is found beside the run's description. Says why where the network or the images are not those of the run any more. */
async function testAgain(run: FoundRun, values: Values, tell: Voices['tell']): Promise<void> {
  const [{ evaluateNetwork, evaluateOptions }, { readOptions }, { TestRecord, writeTestDetail }, { findRun }] =
    await Promise.all([
      import('./evaluate.js'),
      import('../options/given.js'),
      import('../report/test-detail.js'),
      import('../report/find-run.js'),
    ]);
  const name = String(run.options['run_name']);
  const rootDir = findRootDir(values.root_dir);
  if (findRun(name, rootDir).path !== resolve(run.path)) {
    tell(
      `WARNING: the network of ${run.path} is gone, since a later run has its name: single images and classes are left out`,
    );
    return;
  }
  const { device, gpu_memory_limit, precision, batch_size, workers } = values;
  const chosen = { run: name, root_dir: rootDir, device, gpu_memory_limit, precision, batch_size, workers };
  const record = new TestRecord(run.data.classes);
  try {
    const settings = { ...readOptions(evaluateOptions, []), ...chosen };
    await evaluateNetwork(settings, { tell, screen: process.stderr, onImage: (image) => record.add(image) });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    tell(`WARNING: the test images can't be looked at again: ${error.message}`);
    return;
  }
  if (record.detail) writeTestDetail(run.files, record.detail);
}
