// Files that appear whole or not at all: written beside their place, brought to the disk, and renamed. A process that is
// killed on the way leaves the file before it, and a temporary file that the next one removes.

import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isAlive, machineId } from './process-identity.mjs';
import { hasCode } from './system-error.js';

/**
 * Replaces the file at `path`, whose folder must exist, by what `write` writes into an empty file. When this returns, the
 * new file is on the disk; when it throws, the old one is as it was, unless the folder's own `fsync` failed.
 */
export async function writeAtomically(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const temporary = temporaryPath(path);
  try {
    const file = await open(temporary, 'w');
    try {
      await write(file);
      await unlessUnsupported(noSync, file.sync());
    } catch (error) {
      // What went wrong first is what is told.
      await file.close().catch(() => {});
      throw error;
    }
    // Network file systems may tell of a full disk only here.
    await file.close();
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Linux writes no more than 2 GiB at once. */
const maxWriteBytes = 2 ** 28;

/** Writes all of the bytes at the end of what was written before, also where the system takes only a part at a time. */
export async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, offset, Math.min(bytes.byteLength - offset, maxWriteBytes));
    if (bytesWritten === 0) throw new Error('internal: nothing was written, without an error');
    offset += bytesWritten;
  }
}

/** As {@link writeAtomically}, of a short text, for callers that can't wait. */
export function writeTextAtomically(path: string, text: string): void {
  const temporary = temporaryPath(path);
  try {
    const file = openSync(temporary, 'w');
    try {
      writeFileSync(file, text);
      unlessUnsupportedSync(noSync, () => fsyncSync(file));
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    try {
      rmSync(temporary, { force: true });
    } catch {
      // What went wrong first is what is told.
    }
    throw error;
  }
  unlessUnsupportedSync(noFolderSync, () => {
    const folder = openSync(dirname(path), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  });
}

const dayMs = 24 * 60 * 60 * 1000;

/**
 * Removes what saves left behind in a folder that were killed: the temporary files and folders of processes that have
 * ended on this machine, and those older than a day, whose process may have been elsewhere. Failures are passed over.
 */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const [, pid, machine] = /^\..*\.(\d+)-([0-9a-f]{8})\.tmp$/.exec(name) ?? [];
    if (pid === undefined) continue;
    const path = join(folder, name);
    const hasEnded = machine === machineMark() && isAlive({ pid: Number(pid) }) === false;
    if (hasEnded || (await ageMs(path)) > dayMs) await rm(path, { recursive: true, force: true }).catch(() => {});
  }
}

/** A name beside `path` that `removeLeftovers` knows. */
export function temporaryPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}-${machineMark()}.tmp`);
}

/** Tells machines apart that share a folder, in a few letters. */
function machineMark(): string {
  return createHash('sha256').update(machineId()).digest('hex').slice(0, 8);
}

async function ageMs(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? 0 : Date.now() - found.mtimeMs;
}

export async function syncFolder(path: string): Promise<void> {
  const sync = async () => {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  };
  await unlessUnsupported(noFolderSync, sync());
}

/** What file systems answer that know no `fsync`: nothing more can be done there. */
const noSync: readonly string[] = ['EINVAL', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'];
/** Network file systems may refuse it for folders alone, or a folder may be written to but not read. */
const noFolderSync: readonly string[] = [...noSync, 'EPERM', 'EACCES', 'EISDIR', 'EBADF'];

async function unlessUnsupported(codes: readonly string[], action: Promise<void>): Promise<void> {
  try {
    await action;
  } catch (error) {
    if (!hasCode(error, ...codes)) throw error;
  }
}

function unlessUnsupportedSync(codes: readonly string[], action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!hasCode(error, ...codes)) throw error;
  }
}
