// The table of results: one row an epoch, on disk as soon as the epoch is over.
import { appendFileSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeTextAtomically } from '../atomic-file.js';
import type { EpochResult, Reporter } from './events.js';

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
    line([
      ...measures.map(([, cell]) => cell(result) ?? ''),
      ...timings.map(([, cell]) => (hasTimings ? (cell(result) ?? '') : '')),
    ]);
  /** All that the file is to hold. */
  let text = [line([...measures, ...timings].map(([name]) => name)), ...(history ?? []).map(row)].join('');
  let writtenBytes: number | undefined = history === undefined ? 0 : undefined;
  let hasFailed = false;
  const write = () => {
    try {
      writeRest(path, text, writtenBytes);
      writtenBytes = Buffer.byteLength(text);
    } catch (error) {
      // The file may hold half a row now: next time it is written anew.
      writtenBytes = undefined;
      if (!hasFailed) onFailure(error);
      hasFailed = true;
    }
  };
  write();
  return {
    handle: (event) => {
      if (event.kind !== 'epoch-end') return;
      text += row(event.result);
      write();
    },
    close: () => {
      if (writtenBytes === undefined) write();
    },
  };
}

/** Appends what is missing, or replaces the file where it isn't what was written before: gone, or cut by a full disk. */
function writeRest(path: string, text: string, writtenBytes: number | undefined): void {
  if (writtenBytes !== undefined && statSync(path, { throwIfNoEntry: false })?.size === writtenBytes) {
    appendFileSync(path, Buffer.from(text).subarray(writtenBytes), { flush: true });
    return;
  }
  mkdirSync(dirname(path), { recursive: true });
  writeTextAtomically(path, text);
}

function line(cells: readonly (string | number)[]): string {
  return `${cells.join(',')}\n`;
}

function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}
