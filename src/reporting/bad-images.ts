// The list of images that a run left out, which comes into being with the first of them.
import { appendFileSync, closeSync, openSync, readFileSync, truncateSync } from 'node:fs';
import { csvRow, readCsvRows } from './csv.js';
import type { Reporter } from './events.js';

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
  /** What the file holds; undefined until it is opened. */
  let written: { paths: Set<string>; bytes: number } | undefined;
  let hasFailed = false;
  const write = () => {
    try {
      written ??= openList(path);
      const { paths } = written;
      const rows = untold.filter((image) => !paths.has(image.path)).map((image) => csvRow([image.path, image.reason]));
      const text = `${written.bytes === 0 ? heading : ''}${rows.join('')}`;
      // Whatever an attempt that failed has left behind goes.
      if (hasFailed) truncateSync(path, written.bytes);
      appendFileSync(path, text, { flush: true });
      written.bytes += Buffer.byteLength(text);
      for (const image of untold.splice(0)) paths.add(image.path);
    } catch (error) {
      if (!hasFailed) onFailure(error);
      hasFailed = true;
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
    },
  };
}

/** Creates the file, or reads what is there; a row that was cut off is removed. */
function openList(path: string): { paths: Set<string>; bytes: number } {
  closeSync(openSync(path, 'a'));
  const text = readFileSync(path, 'utf8');
  const { rows, end } = readCsvRows(text);
  const bytes = Buffer.byteLength(text.slice(0, end));
  truncateSync(path, bytes);
  return { paths: new Set(rows.slice(1).map(([listed = '']) => listed)), bytes };
}
