// The decoding thread: takes batches of paths and fills the buffers that come with them. It has an event loop of its
// own, so the chain of reading, looking at the header and decoding goes on while a training step blocks the main thread.

import { parentPort } from 'node:worker_threads';
import { drawRecipe } from './augment.js';
import { decodeInto } from './decode.js';
import type { DecodeReply, DecodeRequest } from './decode-thread.js';
import { UnreadableImageError } from './unreadable-image.js';

interface Batch {
  request: DecodeRequest;
  /** Position of the first image not yet begun. */
  next: number;
  /** How many images are begun and unfinished. */
  decoding: number;
  /** Set by the first failure by position, so that a batch fails in the same way in every run. */
  failed: { position: number; reply: DecodeReply } | undefined;
}

const port = parentPort;
if (port === null) throw new Error('internal: decode-worker.js runs only as a worker thread');

/** A thread shouldn't have to wait for this event loop between two images. */
const imagesPerThread = 2;

const queue: Batch[] = [];
let decoding = 0;

port.on('message', (message: DecodeRequest | { cancel: number }) => {
  if ('cancel' in message) {
    const position = queue.findIndex(({ request }) => request.id === message.cancel);
    if (position >= 0) queue.splice(position, 1);
  } else {
    queue.push({ request: message, next: 0, decoding: 0, failed: undefined });
  }
  startMore();
});

function startMore(): void {
  for (
    let batch = queue[0];
    batch !== undefined && decoding < batch.request.workers * imagesPerThread;
    batch = queue[0]
  ) {
    if (batch.next >= batch.request.paths.length) {
      queue.shift();
      continue;
    }
    void decodeOne(batch, batch.next++);
  }
}

async function decodeOne(batch: Batch, position: number): Promise<void> {
  const { id, paths, indices, augment, preprocessing, buffer } = batch.request;
  decoding++;
  batch.decoding++;
  try {
    const recipe = drawRecipe(augment, indices[position] ?? 0);
    const offset = position * preprocessing.crop ** 2 * 3;
    await decodeInto(paths[position] ?? '', preprocessing, { recipe, buffer, offset });
  } catch (error) {
    if (batch.failed === undefined || position < batch.failed.position) {
      batch.failed = { position, reply: failure(id, error) };
    }
    // Images before this one may still fail; those after it no longer matter.
    batch.next = paths.length;
  }
  decoding--;
  batch.decoding--;
  startMore();
  if (batch.decoding > 0 || batch.next < paths.length) return;
  if (batch.failed === undefined) port?.postMessage({ id, buffer } satisfies DecodeReply, [buffer]);
  else port?.postMessage(batch.failed.reply);
}

function failure(id: number, error: unknown): DecodeReply {
  if (error instanceof UnreadableImageError) return { id, path: error.path, reason: error.reason };
  return { id, bug: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
