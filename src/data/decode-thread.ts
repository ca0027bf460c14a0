// The main thread's side of the decoding thread. There is one for the process, started at first use and shared by all
// loaders: starting it takes a tenth of a second, and its event loop can feed several thousand images a second.

import { Worker } from 'node:worker_threads';
import { type Explanation, UserError } from '../errors.js';
import { silenceTensorflow } from '../tensorflow/jpeg-decoder.js';
import type { AugmentOptions } from './augment.js';
import type { CacheSettings } from './pixel-cache.js';
import type { Preprocessing } from './preprocessing.js';

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
  /** Where decoded images are kept; they must not be augmented. */
  cache?: CacheSettings | undefined;
  buffer: ArrayBuffer;
}

/** An image that could not be read: its position in the request, and why as a phrase without a full stop. */
export interface Unreadable {
  position: number;
  reason: string;
}

/** The request's buffer, filled with the images that could be read, moved together; the others in ascending order. */
export interface Decoded {
  buffer: ArrayBuffer;
  unreadable: readonly Unreadable[];
  /** Why decoded images are not kept any more: once, when that has happened. */
  cacheTrouble?: string | undefined;
}

/** What was decoded, a mistake that is no image's, or a bug's stack. */
export type DecodeReply = { id: number } & (Decoded | { mistake: Explanation & { what: string } } | { bug: string });

/** A batch on its way. */
export interface PendingDecode {
  /** Rejects for what no image is to blame for. */
  readonly decoded: Promise<Decoded>;
  /** Drops the request unless it is done; `decoded` then never settles. */
  cancel(): void;
}

interface Waiting {
  resolve(decoded: Decoded): void;
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
    const decoded = new Promise<Decoded>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    // A batch may fail long before the consumer asks for it.
    decoded.catch(() => {});
    this.#worker.ref();
    this.#worker.postMessage({ ...request, id } satisfies DecodeRequest, [request.buffer]);
    return {
      decoded,
      cancel: () => {
        if (this.#take(id)) this.#worker.postMessage({ cancel: id });
      },
    };
  }

  #settle(reply: DecodeReply): void {
    const waiting = this.#take(reply.id);
    if ('buffer' in reply) waiting?.resolve(reply);
    else if ('mistake' in reply) waiting?.reject(new UserError(reply.mistake.what, reply.mistake));
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
