// Where a command's rows go: to standard output as they come, at the speed of whoever reads them, or into a file that
// appears whole.

import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { removeLeftovers, writeAll, writeAtomically } from '../atomic-file.js';
import { isSystemError } from '../system-error.js';
import { cannotWrite } from './run-files.js';

export type WriteRows = (text: string) => Promise<void>;

/** Gives `work` a way to write to a stream, which waits while the stream is full. */
export function toStream<T>(stream: NodeJS.WritableStream, work: (write: WriteRows) => Promise<T>): Promise<T> {
  return work(async (text) => {
    if (text !== '' && !stream.write(text)) await once(stream, 'drain');
  });
}

/**
 * Gives `work` a way to write to a file, whose folder is made if need be; nothing is left of it where `work` throws.
 * @throws UserError where the file system refuses; `option` has named the file.
 */
export async function toFile<T>(given: string, option: string, work: (write: WriteRows) => Promise<T>): Promise<T> {
  const path = resolve(given);
  let result: { value: T } | undefined;
  try {
    await mkdir(dirname(path), { recursive: true });
    await removeLeftovers(dirname(path));
    await writeAtomically(path, async (file) => {
      result = { value: await work((text) => writeAll(file, Buffer.from(text))) };
    });
  } catch (error) {
    throw isSystemError(error) ? cannotWrite(path, error, option) : error;
  }
  if (!result) throw new Error('internal: a file was written without being filled');
  return result.value;
}
