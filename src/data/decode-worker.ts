// The decoding thread: takes batches of paths and fills the buffers that come with them. It has an event loop of its
// own, so the chain of reading, looking at the header and decoding goes on while a training step blocks the main thread.

import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';
import { UserError } from '../errors.js';
import { drawRecipe } from './augment.js';
import { decodeInto } from './decode.js';
import type { DecodeReply, DecodeRequest, Unreadable } from './decode-thread.js';
import { openPixelCache, type PixelCache } from './pixel-cache.js';
import { readAgain } from './read-again.js';
import { UnreadableImageError } from './unreadable-image.js';

interface Batch {
  request: DecodeRequest;
  /** Position of the first image not yet begun. */
  next: number;
  /** How many images are begun and unfinished. */
  decoding: number;
  unreadable: Unreadable[];
  /** Something that no image is to blame for. */
  failed: DecodeReply | undefined;
  isCancelled: boolean;
}

const port = parentPort;
if (port === null) throw new Error('internal: decode-worker.js runs only as a worker thread');

/** A thread shouldn't have to wait for this event loop between two images. */
const imagesPerThread = 2;

/** Batches that have images to begin. */
const queue: Batch[] = [];
/** All that are unfinished. */
const batches = new Map<number, Batch>();
/** How many images are being decoded, but for those that pause. */
let decoding = 0;
/** Images at a time, whatever `workers` says: what the limit of open files has proved to allow. */
let mostAtOnce = Number.POSITIVE_INFINITY;
/** Images that paused and go on when their turn comes. */
const paused: (() => void)[] = [];
/** Enough for the smallest thread pool. */
const leastAtOnce = 4;

port.on('message', (message: DecodeRequest | { cancel: number }) => {
  if ('cancel' in message) {
    const batch = batches.get(message.cancel);
    if (batch !== undefined) abandon(batch);
  } else {
    const batch = { request: message, next: 0, decoding: 0, unreadable: [], failed: undefined, isCancelled: false };
    batches.set(message.id, batch);
    queue.push(batch);
  }
  startMore();
});

function abandon(batch: Batch): void {
  batch.isCancelled = true;
  batch.next = batch.request.paths.length;
  if (batch.decoding === 0) batches.delete(batch.request.id);
}

function startMore(): void {
  while (paused.length > 0 && decoding < mostAtOnce) {
    decoding++;
    paused.shift()?.();
  }
  for (let batch = queue[0]; batch !== undefined; batch = queue[0]) {
    if (batch.next >= batch.request.paths.length) queue.shift();
    else if (decoding >= Math.min(batch.request.workers * imagesPerThread, mostAtOnce)) return;
    else void decodeOne(batch, batch.next++);
  }
}

/** Lets other images have this one's turn for a while. */
async function pause(ms: number): Promise<void> {
  decoding--;
  startMore();
  await sleep(ms);
  const turn = new Promise<void>((resolve) => paused.push(resolve));
  startMore();
  await turn;
}

function allowFewer(): void {
  // Half of what there is room for leaves some to the rest of the program. Those that found none are counted, too, but
  // they drop out one by one: the last of them sees how many had room.
  mostAtOnce = Math.min(mostAtOnce, Math.max(leastAtOnce, Math.floor(decoding / 2)));
}

async function decodeOne(batch: Batch, position: number): Promise<void> {
  const { id, paths, indices, augment, preprocessing, buffer } = batch.request;
  decoding++;
  batch.decoding++;
  try {
    const recipe = drawRecipe(augment, indices[position] ?? 0);
    const offset = position * preprocessing.crop ** 2 * 3;
    const path = paths[position] ?? '';
    const decode = () =>
      readAgain(() => decodeInto(path, preprocessing, { recipe, buffer, offset }), {
        onTooManyOpen: allowFewer,
        isGivenUp: () => batch.isCancelled,
        pause,
      });
    const cache = cacheFor(batch.request);
    if (cache) await readOrDecode(cache, path, new Uint8Array(buffer, offset, preprocessing.crop ** 2 * 3), decode);
    else await decode();
  } catch (error) {
    if (error instanceof UnreadableImageError) {
      batch.unreadable.push({ position, reason: error.reason });
    } else {
      batch.failed ??= failure(id, error);
      batch.next = paths.length;
    }
  }
  decoding--;
  batch.decoding--;
  if (batch.decoding === 0 && batch.next >= paths.length) finish(batch);
  startMore();
}

const caches = new Map<string, PixelCache>();

function cacheFor({ cache, preprocessing }: DecodeRequest): PixelCache | undefined {
  if (!cache) return undefined;
  const key = JSON.stringify([cache, preprocessing]);
  const known = caches.get(key) ?? openPixelCache(cache, preprocessing);
  caches.set(key, known);
  return known;
}

async function readOrDecode(
  cache: PixelCache,
  path: string,
  pixels: Uint8Array,
  decode: () => Promise<void>,
): Promise<void> {
  if (await cache.read(path, pixels)) return;
  const stamp = await cache.stamp(path);
  await decode();
  if (stamp) await cache.keep(path, stamp, pixels);
}

function finish(batch: Batch): void {
  const { id, buffer } = batch.request;
  batches.delete(id);
  if (batch.isCancelled) return;
  if (batch.failed !== undefined) {
    port?.postMessage(batch.failed);
    return;
  }
  const unreadable = batch.unreadable.sort((a, b) => a.position - b.position);
  closeGaps(batch.request, unreadable);
  const cacheTrouble = cacheFor(batch.request)?.takeTrouble();
  port?.postMessage({ id, buffer, unreadable, cacheTrouble } satisfies DecodeReply, [buffer]);
}

/** Moves the images behind an unreadable one forward, so that those that were read lie one after the other. */
function closeGaps({ buffer, paths, preprocessing }: DecodeRequest, unreadable: readonly Unreadable[]): void {
  const imageBytes = preprocessing.crop ** 2 * 3;
  const pixels = new Uint8Array(buffer);
  for (const [i, { position }] of unreadable.entries()) {
    const end = unreadable[i + 1]?.position ?? paths.length;
    pixels.copyWithin((position - i) * imageBytes, (position + 1) * imageBytes, end * imageBytes);
  }
}

function failure(id: number, error: unknown): DecodeReply {
  if (error instanceof UserError) return { id, mistake: error.parts };
  return { id, bug: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
