// Proof that a file is the one that was asked for.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

/** A file's SHA-256; or, for small files of the hub, the SHA-1 by which git knows it. */
export interface Digest {
  readonly algorithm: 'sha256' | 'git-sha1';
  /** Lower-case hexadecimal. */
  readonly hex: string;
}

const chunkBytes = 1 << 20;

/** The digest that an etag of the hub, or a blob's name in its cache, is; undefined when it is none. */
export function digestOfEtag(etag: string): Digest | undefined {
  const hex = etag
    .replace(/^W\//, '')
    .replace(/^"(.*)"$/, '$1')
    .toLowerCase();
  if (/^[0-9a-f]{64}$/.test(hex)) return { algorithm: 'sha256', hex };
  if (/^[0-9a-f]{40}$/.test(hex)) return { algorithm: 'git-sha1', hex };
  return undefined;
}

/** Reads a file (some 600 MB/s) and compares. Throws when it can't be read. */
export async function hasDigest(path: string, { algorithm, hex }: Digest): Promise<boolean> {
  const hash = createHash(algorithm === 'sha256' ? 'sha256' : 'sha1');
  if (algorithm === 'git-sha1') hash.update(`blob ${(await stat(path)).size}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: chunkBytes })) hash.update(chunk);
  return hash.digest('hex') === hex;
}
