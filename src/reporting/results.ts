// The table of results: one row an epoch, on disk as soon as the epoch is over.
import { csvRow } from './csv.js';
import type { EpochResult, Reporter } from './events.js';
import { createTableFile } from './table-file.js';

type Column = readonly [name: string, cell: (result: EpochResult) => number | undefined];

const measures: readonly Column[] = [
  ['epoch', ({ epoch }) => epoch],
  ['train_loss', ({ train }) => train.loss],
  ['val_loss', ({ validation }) => validation?.loss],
  ['train_precision@1', ({ train }) => rounded(train.precisionAt1, 4)],
  ['train_precision@5', ({ train }) => rounded(train.precisionAt5, 4)],
  ['val_precision@1', ({ validation }) => validation && rounded(validation.precisionAt1, 4)],
  ['val_precision@5', ({ validation }) => validation && rounded(validation.precisionAt5, 4)],
  ['lr', ({ learningRate }) => learningRate],
];
const timings: readonly Column[] = [
  ['seconds', ({ seconds }) => rounded(seconds, 3)],
  ['images_per_second', ({ imagesPerSecond }) => rounded(imagesPerSecond, 2)],
];

export interface ResultsSettings {
  path: string;
  /** The epochs that were finished before, where the run goes on: the table begins with them, whatever the file holds. */
  history?: readonly EpochResult[] | undefined;
  /** Whether there are cells for seconds and images per second, which no two runs have alike; else they are empty. */
  hasTimings: boolean;
  /** Hears, once, that rows could not be written; they are kept, and tried again with the next one and at the end. */
  onFailure: (error: unknown) => void;
}

/** Writes a CSV file: precisions in percent, empty cells where there is no validation, losses with all their digits. */
export function createResults({ path, history, hasTimings, onFailure }: ResultsSettings): Reporter {
  const row = (result: EpochResult) =>
    csvRow([
      ...measures.map(([, cell]) => String(cell(result) ?? '')),
      ...timings.map(([, cell]) => (hasTimings ? String(cell(result) ?? '') : '')),
    ]);
  const text = [csvRow([...measures, ...timings].map(([name]) => name)), ...(history ?? []).map(row)].join('');
  const file = createTableFile({ path, text, isWritten: false, onFailure });
  return {
    handle: (event) => {
      if (event.kind === 'epoch-end') file.append(row(event.result));
    },
    close: () => file.close(),
  };
}

function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}
