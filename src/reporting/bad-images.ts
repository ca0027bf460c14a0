// The list of images that a run left out, which comes into being with the first of them.
import { csvRow, readCsvRows } from './csv.js';
import type { Reporter } from './events.js';
import { once } from './once.js';
import { createTableFile, type TableFile } from './table-file.js';
import { readTextIfThere } from './text-file.js';

export interface BadImageListSettings {
  path: string;
  /** Hears, once, that rows could not be written; they are kept, and tried again with the next one and at the end. */
  onFailure: (error: unknown) => void;
}

const heading = csvRow(['path', 'reason']);

/**
 * Writes a CSV file with the columns path and reason, each row on disk when it is told. Files that are in it already,
 * from an earlier part of the run, are not written again.
 */
export function createBadImageList({ path, onFailure }: BadImageListSettings): Reporter {
  const untold: { path: string; reason: string }[] = [];
  let list: { paths: Set<string>; file: TableFile } | undefined;
  const failOnce = once(onFailure);
  const write = () => {
    try {
      list ??= openList(path, failOnce);
    } catch (error) {
      failOnce(error);
      return;
    }
    for (const image of untold.splice(0)) {
      if (list.paths.has(image.path)) continue;
      list.paths.add(image.path);
      list.file.append(csvRow([image.path, image.reason]));
    }
  };
  return {
    handle: (event) => {
      if (event.kind !== 'bad-image') return;
      untold.push({ path: event.path, reason: event.reason });
      write();
    },
    close: () => {
      if (untold.length > 0) write();
      list?.file.close();
    },
  };
}

/** Creates the file, or reads what is there; a row that was cut off is removed. */
function openList(path: string, onFailure: (error: unknown) => void): { paths: Set<string>; file: TableFile } {
  const found = readTextIfThere(path);
  const { rows, end } = readCsvRows(found);
  const text = end === 0 ? heading : found.slice(0, end);
  const paths = new Set(rows.slice(1).map(([listed = '']) => listed));
  return { paths, file: createTableFile({ path, text, isWritten: text === found, onFailure }) };
}
