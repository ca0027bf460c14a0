// The cache as files: room, permission, staging folders and the rename by which a folder appears whole.

import { randomUUID } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '../errors.js';
import { formatBytes } from '../wording.js';
import { cacheFolder, type Manifest, manifestName, tensorflowFolder } from './cache.js';

const stagingPrefix = '.partial-';

/** Makes the cache's folder for TensorFlow. Throws a `UserError` when it can't be written to. */
export function prepareCache(): string {
  const folder = tensorflowFolder();
  try {
    makeFolder(folder);
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new UserError(`The cache folder ${cacheFolder()} can't be written to`, {
      found: (error as NodeJS.ErrnoException).code ?? String(error),
      mend: 'Set DEEP_CNN_CACHE to a folder of yours (on a cluster: a disk that its machines share), and start again',
    });
  }
  return folder;
}

/** Like a recursive mkdir, which never returns where a folder can't be made at all (in /proc). */
export function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Throws a `UserError` unless the cache's file system has `neededBytes` free. */
export function checkSpace(neededBytes: number, forWhat: string, otherwise = ''): void {
  const { bavail, bsize } = statfsSync(tensorflowFolder());
  const freeBytes = bavail * bsize;
  if (freeBytes >= neededBytes) return;
  throw new UserError(`Too little disk space in ${cacheFolder()} for ${forWhat}`, {
    expected: `${formatBytes(neededBytes)} free`,
    found: formatBytes(freeBytes),
    mend: `Make room, or set DEEP_CNN_CACHE to a folder on a larger disk${otherwise}, and start again`,
  });
}

/** Makes a folder for work in progress in `parent`; the lock's holder alone may call this. */
export function makeStaging(parent: string): string {
  const folder = join(parent, `${stagingPrefix}${randomUUID()}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Removes what interrupted installations have left in `parent`; the lock's holder alone may call this. */
export function removeLeftovers(parent: string): void {
  if (!existsSync(parent)) return;
  for (const name of readdirSync(parent).filter((entry) => entry.startsWith(stagingPrefix))) {
    rmSync(join(parent, name), { recursive: true, force: true });
  }
}

/**
 * Writes the manifest of a finished folder and moves it to its place, where it appears whole. A damaged folder that is
 * there already gives way. `listed` says which files the manifest lists; the others may be missing later.
 */
export function publishFolder(
  staged: string,
  place: string,
  version: string,
  listed: (name: string) => boolean = () => true,
): void {
  const names = readdirSync(staged, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => listed(name) && statSync(join(staged, name)).isFile());
  const manifest: Manifest = {
    version,
    files: Object.fromEntries(files.map((name) => [name, statSync(join(staged, name)).size])),
  };
  writeFileSync(join(staged, manifestName), JSON.stringify(manifest, null, 1));
  mkdirSync(dirname(place), { recursive: true });
  const damaged = existsSync(place) ? makeStaging(dirname(place)) : undefined;
  if (damaged !== undefined) renameSync(place, join(damaged, 'damaged'));
  renameSync(staged, place);
  if (damaged !== undefined) rmSync(damaged, { recursive: true });
}
