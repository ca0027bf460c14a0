// A folder that appears whole or not at all: filled beside its place and renamed, as atomic-file.ts does with files.

import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { removeLeftovers, syncFolder, temporaryPath, writeAll, writeAtomically } from '../atomic-file.js';
import { messageOf, UserError } from '../errors.js';
import { cannotWrite } from '../reporting/run-files.js';
import { hasCode } from '../system-error.js';

/** In every export, and in nothing else: what may be replaced by another. */
export const markName = 'export.json';

/**
 * Fills a new folder and puts it at `path`, in place of an earlier export. What `fill` throws leaves nothing behind.
 * @throws UserError where something else is there, or the file system refuses.
 */
export async function writeExportFolder<T>(path: string, fill: (folder: string) => Promise<T>): Promise<T> {
  await requireReplaceable(path);
  const temporary = temporaryPath(path);
  try {
    await orUserError(path, async () => {
      await mkdir(dirname(path), { recursive: true });
      await removeLeftovers(dirname(path));
      await rm(temporary, { recursive: true, force: true });
      await mkdir(temporary);
    });
    const result = await fill(temporary);
    await orUserError(path, async () => {
      await syncFolder(temporary);
      await rm(path, { recursive: true, force: true });
      await rename(temporary, path);
      await syncFolder(dirname(path));
    });
    return result;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw error;
  }
}

async function requireReplaceable(path: string): Promise<void> {
  const names = await readdir(path).catch((error: unknown): string[] => {
    if (hasCode(error, 'ENOENT')) return [];
    throw new UserError(`Cannot write to '${path}'`, { found: messageOf(error), mend: 'Choose another --output' });
  });
  if (names.length === 0 || names.includes(markName)) return;
  throw new UserError(`Cannot write to '${path}'`, {
    expected: 'a folder that is empty, holds an earlier export, or is not there yet',
    found: `others' files, such as ${names[0]}`,
    mend: 'Choose another --output',
  });
}

async function orUserError(path: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    throw cannotWrite(path, error, '--output');
  }
}

/** Writes one file, which is on the disk when this returns. */
export function writeWhole(path: string, content: Uint8Array | string): Promise<void> {
  return writeAtomically(path, (file) => writeAll(file, Buffer.from(content)));
}
