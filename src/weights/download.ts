// One file over a connection that may break: what has arrived stays, and the rest is asked for. The file counts only when
// its digest is right.

import { type FileHandle, open, rm, stat } from 'node:fs/promises';
import type { Response } from 'undici';
import { type Digest, hasDigest } from './download-digest.js';
import { networkFailure, SourceFailure, TransientFailure } from './download-failure.js';
import { type Patience, pause } from './download-patience.js';

export interface DownloadRequest {
  /** Where the bytes gather; what an earlier attempt has left there is continued. */
  path: string;
  bytes: number;
  digest: Digest;
  /** Asks for the file, with these headers. */
  open: (headers: Readonly<Record<string, string>>) => Promise<Response>;
  /** Called as bytes arrive, with all that are there. */
  onBytes: (bytes: number) => void;
}

/** Downloads until `path` is complete and proved. Throws a `SourceFailure`; only what is damaged is then removed. */
export async function download(request: DownloadRequest, patience: Patience): Promise<void> {
  const { path, digest } = request;
  const wasBegun = (await bytesAt(path)) > 0;
  await complete(request, patience);
  if (await hasDigest(path, digest)) return;
  await rm(path);
  // An earlier process may have left a damaged beginning.
  if (wasBegun) {
    await complete(request, patience);
    if (await hasDigest(path, digest)) return;
    await rm(path);
  }
  throw new SourceFailure(`what came is not the file: its ${digest.algorithm} differs from ${digest.hex}`, {
    mend: 'Try again later',
  });
}

async function complete(request: DownloadRequest, patience: Patience): Promise<void> {
  const { path, bytes, onBytes } = request;
  const file = await open(path, 'a+').then(async (created) => {
    await created.close();
    return open(path, 'r+');
  });
  try {
    const transfer = new Transfer(file, request);
    await transfer.begin();
    let failures = 0;
    let furthest = transfer.position;
    onBytes(transfer.position);
    while (transfer.position < bytes) {
      try {
        await transfer.run();
      } catch (error) {
        // Progress earns new patience, but not twice the same progress.
        failures = transfer.position > furthest ? 1 : failures + 1;
        furthest = Math.max(furthest, transfer.position);
        await pause(error, failures, patience);
      }
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A file that is being filled. */
class Transfer {
  readonly #file: FileHandle;
  readonly #request: DownloadRequest;
  /** The strong etag under which the bytes so far were sent. */
  #etag: string | undefined;
  position = 0;

  constructor(file: FileHandle, request: DownloadRequest) {
    this.#file = file;
    this.#request = request;
  }

  async begin(): Promise<void> {
    const { size } = await this.#file.stat();
    if (size > this.#request.bytes) await this.#startOver();
    else this.position = size;
  }

  /** Asks for what is missing and writes what comes, until all is there or the connection ends. */
  async run(): Promise<void> {
    const { bytes, onBytes } = this.#request;
    const response = await this.#request.open(this.#rangeHeaders());
    await this.#accept(response);
    const host = response.url ? new URL(response.url).host : 'the server';
    for await (const chunk of bodyOf(response, host)) {
      if (this.position + chunk.length > bytes) {
        await this.#startOver();
        throw new SourceFailure(`${host} sends more than the ${bytes} bytes that it announced`);
      }
      await this.#file.write(chunk, 0, chunk.length, this.position);
      this.position += chunk.length;
      onBytes(this.position);
    }
    if (this.position < bytes) throw new TransientFailure(`the connection to ${host} was cut`);
  }

  #rangeHeaders(): Record<string, string> {
    if (this.position === 0) return {};
    return { range: `bytes=${this.position}-`, ...(this.#etag !== undefined && { 'if-range': this.#etag }) };
  }

  /** Sees that the answer continues the file; starts it over where it does not. */
  async #accept(response: Response): Promise<void> {
    const { bytes } = this.#request;
    const etag = response.headers.get('etag');
    const isOther = this.#etag !== undefined && etag !== null && etag !== this.#etag;
    const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '');
    const continues = range !== null && Number(range[1]) === this.position && Number(range[2]) === bytes;
    if (response.status === 416 || (response.status === 206 && (!continues || isOther))) {
      await response.body?.cancel();
      const wasBegun = this.position > 0;
      await this.#startOver();
      if (!wasBegun) throw new SourceFailure(`the server answers with another part of the file (${response.status})`);
      throw new TransientFailure('the server does not continue the file');
    }
    if (response.status === 200 && this.position > 0) await this.#startOver();
    this.#etag = etag?.startsWith('"') ? etag : undefined;
  }

  async #startOver(): Promise<void> {
    await this.#file.truncate(0);
    this.position = 0;
    this.#etag = undefined;
  }
}

async function* bodyOf(response: Response, host: string): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw networkFailure(error, host);
      });
      if (done) return;
      yield value;
    }
  } finally {
    // Lets go of the connection where the reader stopped early.
    await reader.cancel().catch(() => {});
  }
}

async function bytesAt(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
