// The main thread's side of the decoding thread. There is one for the process, started at first use and shared by all
// loaders: starting it takes a tenth of a second, and its event loop can feed several thousand images a second.

import { Worker } from 'node:worker_threads';
import { silenceTensorflow } from '../tensorflow/jpeg-decoder.js';
import type { AugmentOptions } from './augment.js';
import type { Preprocessing } from './preprocessing.js';
import { UnreadableImageError } from './unreadable-image.js';

/** Images to decode into `buffer`, one after the other, [paths.length, crop, crop, 3] bytes. */
export interface DecodeRequest {
  id: number;
  paths: readonly string[];
  /** The index that each image's random choices depend on. */
  indices: Uint32Array;
  augment: AugmentOptions;
  preprocessing: Preprocessing;
  /** Decoding threads to keep busy. */
  workers: number;
  buffer: ArrayBuffer;
}

/** The filled buffer, an unreadable image, or a bug's stack. */
export type DecodeReply =
  | { id: number; buffer: ArrayBuffer }
  | { id: number; path: string; reason: string }
  | { id: number; bug: string };

/** A batch on its way. */
export interface PendingDecode {
  /** The request's buffer, filled. Rejects with an UnreadableImageError that names the first bad image. */
  readonly buffer: Promise<ArrayBuffer>;
  /** Drops the request unless it is done; `buffer` then never settles. */
  cancel(): void;
}

interface Waiting {
  resolve(buffer: ArrayBuffer): void;
  reject(error: Error): void;
}

class DecodeThread {
  readonly #worker = new Worker(new URL('./decode-worker.js', import.meta.url), { execArgv: [] });
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;

  constructor() {
    this.#worker.on('message', (reply: DecodeReply) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', (code) => this.#fail(new Error(`internal: the decoding thread ended with code ${code}`)));
  }

  /** Decodes after all earlier requests. The request's buffer is handed over: it can't be used until it comes back. */
  decode(request: Omit<DecodeRequest, 'id'>): PendingDecode {
    const id = this.#nextId++;
    const buffer = new Promise<ArrayBuffer>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    // A batch may fail long before the consumer asks for it.
    buffer.catch(() => {});
    this.#worker.ref();
    this.#worker.postMessage({ ...request, id } satisfies DecodeRequest, [request.buffer]);
    return {
      buffer,
      cancel: () => {
        if (this.#take(id)) this.#worker.postMessage({ cancel: id });
      },
    };
  }

  #settle(reply: DecodeReply): void {
    const waiting = this.#take(reply.id);
    if ('buffer' in reply) waiting?.resolve(reply.buffer);
    else if ('path' in reply) waiting?.reject(new UnreadableImageError(reply.path, reply.reason));
    else waiting?.reject(new Error(`internal: in the decoding thread: ${reply.bug}`));
  }

  #fail(error: Error): void {
    if (shared === this) shared = undefined;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  /** Removes a request from the list. The thread keeps the process alive only while there is one. */
  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker.unref();
    return waiting;
  }
}

let shared: DecodeThread | undefined;

/** The process's decoding thread. */
export function decodeThread(): DecodeThread {
  // The thread's own environment would be a copy, which TensorFlow does not see.
  silenceTensorflow();
  shared ??= new DecodeThread();
  return shared;
}
