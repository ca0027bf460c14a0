// Runs side by side: what they were told, what came of it, and whether they can be compared at all.

import { valueText } from '../options/option-text.js';
import type { Metrics } from '../reporting/events.js';
import type { RunDescription } from '../reporting/run-description.js';
import { allButFirst, textTable } from '../reporting/text-table.js';
import { bestEpoch } from '../training/best.js';
import { imageCounts } from '../training/checkpoint/fingerprint.js';
import { count } from '../wording.js';
import { type DifferentOption, differentOptions } from './run-options.js';
import { runTotals } from './run-totals.js';
import { duration, number, percent } from './words.js';

/** A run among others, under a name that no other of them has. */
export type NamedRun = RunDescription & { name: string };

/** What `--json` prints of each run. Precisions in percent. */
export interface ComparedRun {
  name: string;
  state: RunDescription['state'];
  epochs: number;
  /** The epoch with the lowest validation loss, and what it measured. */
  best: { epoch: number; validation: Metrics } | null;
  test: Metrics | null;
  /** Of training, over all epochs; null where no epoch is over. */
  images_per_second: number | null;
  /** Of all epochs. */
  seconds: number;
  data: Omit<RunDescription['data'], 'classes'> & { classes: number };
}

export interface Comparison {
  runs: readonly ComparedRun[];
  /** Those that not all runs have alike; one value for each run. */
  options: readonly DifferentOption[];
  /** Why results may not be comparable; one sentence each. */
  warnings: readonly string[];
}

/** A name for each run: its own, or with its beginning where several have the same. */
export function named(runs: readonly RunDescription[]): NamedRun[] {
  const own = runs.map(({ options }) => String(options['run_name'] ?? 'run'));
  const isCommon = (name: string) => own.filter((other) => other === name).length > 1;
  return runs.map((run, index) => {
    const name = own[index] ?? '';
    return { ...run, name: isCommon(name) ? `${name} (${run.started.slice(0, 19).replace('T', ' ')})` : name };
  });
}

/** In the order of the runs; the first is the one that the others' data is compared with. */
export function compareRuns(runs: readonly NamedRun[]): Comparison {
  return {
    runs: runs.map(comparedRun),
    options: differentOptions(runs.map(({ options }) => options)),
    warnings: dataWarnings(runs),
  };
}

function comparedRun({ name, state, epochs, test, data }: NamedRun): ComparedRun {
  const best = bestEpoch(epochs);
  const { seconds, imagesPerSecond } = runTotals(epochs);
  return {
    ...{ name, state, epochs: epochs.length },
    best: best?.validation ? { epoch: best.epoch, validation: best.validation } : null,
    test: test ?? null,
    images_per_second: imagesPerSecond ?? null,
    seconds,
    data: { ...data, classes: data.classes.length },
  };
}

/** Each run that was not trained on the first one's data. */
function dataWarnings([first, ...others]: readonly NamedRun[]): string[] {
  if (!first) return [];
  const told = ({ data }: NamedRun) => `${imageCounts(data)} of ${count(data.classes.length, 'class', 'classes')}`;
  return others
    .filter(({ data }) => data.sha256 !== first.data.sha256)
    .map((other) => {
      const isSameSize = told(other) === told(first);
      const what = isSameSize
        ? `as many images, but other ones or in another split`
        : `${told(other)}, not ${told(first)}`;
      return `${other.name} has other data than ${first.name}: ${what}. Their results can't be compared`;
    });
}

/** The heads and rows of a table of results. */
export function resultRows({ runs }: Comparison): { heads: string[]; rows: string[][] } {
  return {
    heads: ['Run', 'State', 'Epochs', 'Best', 'Val loss', 'Val P@1', 'Test loss', 'Test P@1', 'Images/s', 'Time'],
    rows: runs.map(({ name, state, epochs, best, test, images_per_second: speed, seconds }) => [
      ...[name, state, String(epochs), best ? String(best.epoch) : '–'],
      ...[number(best?.validation.loss), percent(best?.validation.precisionAt1, 2)],
      ...[number(test?.loss), percent(test?.precisionAt1, 2), number(speed, 1), duration(seconds)],
    ]),
  };
}

/** The heads and rows of a table of the options that differ. */
export function optionRows({ runs, options }: Comparison): { heads: string[]; rows: string[][] } {
  return {
    heads: ['Option', ...runs.map(({ name }) => name)],
    rows: options.map(({ name, values }) => [`--${name}`, ...values.map((value) => valueText(name, value))]),
  };
}

/** Lines with line feeds. */
export function formatComparison(comparison: Comparison): string {
  const results = resultRows(comparison);
  const options = optionRows(comparison);
  const parts = [
    textTable([results.heads, ...results.rows], allButFirst),
    options.rows.length > 0 ? textTable([options.heads, ...options.rows]) : 'All options are alike.\n',
  ];
  return parts.join('\n');
}
