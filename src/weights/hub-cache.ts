// The hub's cache on disk, laid out as its Python library does, so that each finds the other's files
// (https://huggingface.co/docs/huggingface_hub/guides/manage-cache):
//
//   models--timm--resnet18.tv_in1k/refs/main                                   the commit that main was
//   models--timm--resnet18.tv_in1k/blobs/<sha256>                              the bytes
//   models--timm--resnet18.tv_in1k/snapshots/<commit>/model.safetensors        a link to them

import { randomUUID } from 'node:crypto';
import {
  copyFileSync,
  linkSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { readableNames } from '../readable-names.js';
import { readableText } from '../readable-text.js';
import { type Digest, digestOfEtag } from './download-digest.js';
import { defaultRevision, type HubAddress } from './hub-address.js';

export interface CachedFile {
  path: string;
  bytes: number;
  /** Undefined where the cache does not say. */
  digest: Digest | undefined;
}

/** The folder of a repository. */
export function hubRepoFolder(cacheFolder: string, repo: string): string {
  return join(cacheFolder, ['models', ...repo.split('/')].join('--'));
}

/** Where the bytes with this digest belong. */
export function blobPath(repoFolder: string, { hex }: Digest): string {
  return join(repoFolder, 'blobs', hex);
}

/**
 * Looks for a file. A branch is the commit that it was when it was downloaded. Where the default branch has no such
 * file, the newest snapshot that has one is taken.
 */
export function findInHubCache(cacheFolder: string, { repo, revision, file }: HubAddress): CachedFile | undefined {
  const folder = hubRepoFolder(cacheFolder, repo);
  const inSnapshot = (commit: string) => describe(folder, join(folder, 'snapshots', commit, file));
  const commit = readableText(join(folder, 'refs', revision)).trim();
  const found = (isFileName(commit) ? inSnapshot(commit) : undefined) ?? inSnapshot(revision);
  if (found !== undefined || revision !== defaultRevision) return found;
  return readableNames(join(folder, 'snapshots'))
    .sort((a, b) => timeOf(join(folder, 'snapshots', b)) - timeOf(join(folder, 'snapshots', a)))
    .map(inSnapshot)
    .find((snapshot) => snapshot !== undefined);
}

/** Makes a snapshot's file stand for a blob that is there, and the revision for the commit. Returns the file's path. */
export function linkIntoSnapshot(
  repoFolder: string,
  blob: string,
  { revision, file, commit }: { revision: string; file: string; commit: string },
): string {
  const path = join(repoFolder, 'snapshots', commit, file);
  mkdirSync(dirname(path), { recursive: true });
  replace(path, (temporary) => linkSomehow(blob, temporary, dirname(path)));
  if (revision !== commit) {
    const ref = join(repoFolder, 'refs', revision);
    mkdirSync(dirname(ref), { recursive: true });
    replace(ref, (temporary) => writeFileSync(temporary, commit));
  }
  return path;
}

/** Whether a text from a server can name a file. */
export function isFileName(text: string): boolean {
  return /^[\w-][\w.-]{0,199}$/.test(text);
}

/** Not every file system has symbolic links, nor hard ones. */
function linkSomehow(blob: string, link: string, folder: string): void {
  const ways = [
    () => symlinkSync(relative(folder, blob), link),
    () => linkSync(blob, link),
    () => copyFileSync(blob, link),
  ];
  for (const [index, way] of ways.entries()) {
    try {
      way();
      return;
    } catch (error) {
      if (index === ways.length - 1) throw error;
    }
  }
}

function replace(path: string, write: (temporary: string) => void): void {
  const temporary = `${path}.${randomUUID()}.tmp`;
  write(temporary);
  renameSync(temporary, path);
}

function describe(repoFolder: string, path: string): CachedFile | undefined {
  const status = statSync(path, { throwIfNoEntry: false });
  if (!status?.isFile()) return undefined;
  return { path, bytes: status.size, digest: digestInCache(repoFolder, path, status.size) };
}

/** A blob's name is its digest. A snapshot's file is a link to it or, failing that, a copy. */
function digestInCache(repoFolder: string, path: string, bytes: number): Digest | undefined {
  try {
    return digestOfEtag(basename(readlinkSync(path)));
  } catch {
    const blobs = join(repoFolder, 'blobs');
    const isSame = (name: string) => statSync(join(blobs, name), { throwIfNoEntry: false })?.size === bytes;
    const name = readableNames(blobs).find((blob) => digestOfEtag(blob) !== undefined && isSame(blob));
    return name === undefined ? undefined : digestOfEtag(name);
  }
}

function timeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
