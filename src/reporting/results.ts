// The table of results: one row an epoch, on disk as soon as the epoch is over.
import { appendFileSync } from 'node:fs';
import type { EpochResult, Reporter } from './events.js';

const columns: readonly [name: string, cell: (result: EpochResult) => number | undefined][] = [
  ['epoch', ({ epoch }) => epoch],
  ['train_loss', ({ train }) => train.loss],
  ['val_loss', ({ validation }) => validation?.loss],
  ['train_precision@1', ({ train }) => rounded(train.precisionAt1, 4)],
  ['train_precision@5', ({ train }) => rounded(train.precisionAt5, 4)],
  ['val_precision@1', ({ validation }) => validation && rounded(validation.precisionAt1, 4)],
  ['val_precision@5', ({ validation }) => validation && rounded(validation.precisionAt5, 4)],
  ['lr', ({ learningRate }) => learningRate],
  ['seconds', ({ seconds }) => rounded(seconds, 3)],
  ['images_per_second', ({ imagesPerSecond }) => rounded(imagesPerSecond, 2)],
];

export interface ResultsSettings {
  path: string;
  /** Hears that rows could not be written; they are kept, and tried again with the next one. */
  onFailure: (error: unknown) => void;
}

/** Writes a CSV file: precisions in percent, empty cells where there is no validation, losses with all their digits. */
export function createResults({ path, onFailure }: ResultsSettings): Reporter {
  let unwritten = `${columns.map(([name]) => name).join(',')}\n`;
  const write = () => {
    try {
      appendFileSync(path, unwritten, { flush: true });
      unwritten = '';
    } catch (error) {
      onFailure(error);
    }
  };
  write();
  return {
    handle: (event) => {
      if (event.kind !== 'epoch-end') return;
      unwritten += `${columns.map(([, cell]) => cell(event.result) ?? '').join(',')}\n`;
      write();
    },
    close: () => {
      if (unwritten !== '') write();
    },
  };
}

function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}
