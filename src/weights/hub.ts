// Files from the Hugging Face hub, into its cache.

import { renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { modelInfo, pathsInfo } from '@huggingface/hub';
import type { Response } from 'undici';
import { acquireLock } from '../file-lock.mjs';
import { makeFolder } from '../tensorflow/install-files.js';
import { download } from './download.js';
import { type Digest, digestOfEtag, hasDigest } from './download-digest.js';
import { folderFailure, SourceFailure } from './download-failure.js';
import { defaultPatience, type Patience } from './download-patience.js';
import { say, showDownload } from './download-progress.js';
import { type HubAddress, usualFiles } from './hub-address.js';
import { blobPath, findInHubCache, hubRepoFolder, isFileName, linkIntoSnapshot } from './hub-cache.js';
import { HubClient } from './hub-client.js';
import type { HubEnvironment } from './hub-environment.js';

/** What the hub says of a file. */
interface RemoteFile {
  url: string;
  commit: string;
  bytes: number;
  digest: Digest;
}

/**
 * Downloads a file into the hub's cache, unless it is there undamaged, and returns its path. One process downloads, the
 * others wait for it. Throws a `SourceFailure` that says why it can't be had.
 */
export async function downloadFromHub(
  address: HubAddress,
  environment: HubEnvironment,
  patience: Patience = defaultPatience,
): Promise<string> {
  if (environment.isOffline) throw new SourceFailure('HF_HUB_OFFLINE is set', { mend: 'Unset HF_HUB_OFFLINE' });
  const { cacheFolder } = environment;
  const client = new HubClient(environment, patience);
  try {
    const locks = join(cacheFolder, '.locks', `models--${address.repo.replace('/', '--')}`);
    makeFolder(join(hubRepoFolder(cacheFolder, address.repo), 'blobs'));
    makeFolder(locks);
    // One lock for the repository: several addresses may lead to the same bytes.
    const release = await acquireLock(join(locks, 'deep-cnn.lock'), (holder) =>
      say(`waiting for ${holder}, which downloads from ${address.repo}`),
    );
    try {
      return (await findIntact(address, cacheFolder)) ?? (await fetchFile(client, address, cacheFolder, patience));
    } finally {
      release();
    }
  } catch (error) {
    throw folderFailure(error, cacheFolder, 'HF_HOME');
  } finally {
    await client.close();
  }
}

async function findIntact(address: HubAddress, cacheFolder: string): Promise<string | undefined> {
  const cached = findInHubCache(cacheFolder, address);
  if (cached?.digest === undefined) return undefined;
  return (await hasDigest(cached.path, cached.digest)) ? cached.path : undefined;
}

async function fetchFile(
  client: HubClient,
  address: HubAddress,
  cacheFolder: string,
  patience: Patience,
): Promise<string> {
  const { url, commit, bytes, digest } = await lookUp(client, address);
  const repoFolder = hubRepoFolder(cacheFolder, address.repo);
  const blob = blobPath(repoFolder, digest);
  const isThere = statSync(blob, { throwIfNoEntry: false })?.size === bytes && (await hasDigest(blob, digest));
  if (!isThere) {
    // Its own name: the Python library would not know that it is still being filled.
    const partial = `${blob}.deep-cnn.incomplete`;
    let bytesDone = statSync(partial, { throwIfNoEntry: false })?.size ?? 0;
    await showDownload(titleOf(address), { bytesDone: () => bytesDone, totalBytes: bytes }, () =>
      download(
        {
          path: partial,
          bytes,
          digest,
          open: async (headers) => lastOf(await client.send(url, { method: 'GET', headers })),
          onBytes: (total) => {
            bytesDone = total;
          },
        },
        patience,
      ),
    );
    renameSync(partial, blob);
  }
  return linkIntoSnapshot(repoFolder, blob, { ...address, commit });
}

/** Short, so that a terminal has room for the bar. */
function titleOf({ repo, file }: HubAddress): string {
  return file === usualFiles[0] ? repo : `${repo}:${file}`;
}

/** Asks what the file is now. The hub says it in the headers of its answer, before it redirects to where the bytes are. */
async function lookUp(client: HubClient, { repo, revision, file }: HubAddress): Promise<RemoteFile> {
  const path = file.split('/').map(encodeURIComponent).join('/');
  const url = `${client.endpoint}/${repo}/resolve/${encodeURIComponent(revision)}/${path}`;
  const names = ['x-repo-commit', 'x-linked-etag', 'x-linked-size'];
  const answers = await client.sendPatiently(url, { method: 'HEAD' }, (hops) =>
    names.every((name) => header(hops, name) !== undefined),
  );
  const last = lastOf(answers);
  const length = last.status < 300 ? last.headers.get('content-length') : undefined;
  const etag = header(answers, 'x-linked-etag') ?? header(answers, 'etag');
  const commit = header(answers, 'x-repo-commit') ?? (await commitOf(client, repo, revision));
  const told = {
    bytes: Number(header(answers, 'x-linked-size') ?? length ?? Number.NaN),
    digest: digestOfEtag(etag ?? ''),
  };
  const { bytes, digest } =
    told.digest && Number.isSafeInteger(told.bytes) ? told : await askApi(client, { repo, revision, file });
  if (!commit || !isFileName(commit) || !digest || !Number.isSafeInteger(bytes) || bytes < 0) {
    throw new SourceFailure(
      `${client.endpoint} does not answer as the hub does: no commit, size or SHA-256 of the file`,
      {
        mend: 'Check HF_ENDPOINT',
      },
    );
  }
  return { url, commit, bytes, digest };
}

/** A mirror may leave the headers out: the library asks the hub's interface for programs. */
async function askApi(
  client: HubClient,
  { repo, revision, file }: HubAddress,
): Promise<{ bytes: number; digest: Digest | undefined }> {
  const [info] = await askLibrary(client, () =>
    pathsInfo({ repo, paths: [file], revision, hubUrl: client.endpoint, fetch: client.fetch }),
  );
  return {
    bytes: info?.lfs?.size ?? info?.size ?? Number.NaN,
    digest: digestOfEtag(info?.lfs?.oid ?? info?.oid ?? ''),
  };
}

async function commitOf(client: HubClient, repo: string, revision: string): Promise<string> {
  const { sha } = await askLibrary(client, () =>
    modelInfo({ name: repo, revision, additionalFields: ['sha'], hubUrl: client.endpoint, fetch: client.fetch }),
  );
  return sha;
}

async function askLibrary<T>(client: HubClient, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof SourceFailure) throw error;
    // A page that is no JSON, say from a proxy that wants a login.
    throw new SourceFailure(`${client.endpoint} does not answer as the hub does`, {
      mend: 'Check HF_ENDPOINT',
      cause: error,
    });
  }
}

/** What the first of the answers says that says it. */
function header(answers: readonly Response[], name: string): string | undefined {
  return answers.map(({ headers }) => headers.get(name)).find((value) => value !== null) ?? undefined;
}

function lastOf(answers: readonly Response[]): Response {
  const last = answers.at(-1);
  if (last === undefined) throw new Error('internal: a request without an answer');
  return last;
}
