// A batch in parts, where there is no memory for all of it at once.

import { isOutOfMemory } from './out-of-memory.js';
import type { AnyStepBatch, StepResult } from './step-values.js';

/** Images, of `imageBytes` each, or features: those `from` up to before `to` of a batch. */
export function partOf(
  batch: AnyStepBatch,
  { from, to, imageBytes }: { from: number; to: number; imageBytes: number },
): AnyStepBatch {
  const images = batch.labels.length;
  if (from === 0 && to === images) return batch;
  const labels = batch.labels.slice(from, to);
  if ('features' in batch) {
    const size = batch.features.length / images;
    return { features: batch.features.slice(from * size, to * size), labels };
  }
  const pixels = new Uint8Array(Math.ceil(((to - from) * imageBytes) / 4) * 4);
  pixels.set(batch.pixels.subarray(from * imageBytes, to * imageBytes));
  return { pixels, labels };
}

/** Where to cut so many images into `count` parts that differ by one at most: the ends of all, the first at 0. */
export function cuts(images: number, count: number): number[] {
  const parts = Math.min(count, images);
  return Array.from({ length: parts + 1 }, (_, index) => Math.round((index * images) / parts));
}

/** The result of a batch from those of its parts. */
export function joined(results: readonly StepResult[]): StepResult {
  const [only] = results;
  if (only && results.length === 1) return only;
  const total = (value: (result: StepResult) => number) => results.reduce((sum, result) => sum + value(result), 0);
  const images = total((result) => result.images);
  const lossScale = results.at(-1)?.lossScale;
  return {
    images,
    applied: results.every(({ applied }) => applied),
    ...(lossScale !== undefined && { lossScale }),
    loss: total((result) => result.loss * result.images) / images,
    correctAt1: total((result) => result.correctAt1),
    correctAt5: total((result) => result.correctAt5),
  };
}

/** So many images are computed in so many parts. */
export interface BatchSplit {
  images: number;
  parts: number;
}

/** Has `steps` cut batches so, and calls `onSplit`, unless they cut them into as many or more, as a run that goes on may. */
export function cutAtLeast(steps: { parts: number }, split: BatchSplit, onSplit: (split: BatchSplit) => void): void {
  // A run's bits depend on its parts: it keeps those that it has.
  if (split.parts <= steps.parts) return;
  steps.parts = split.parts;
  onSplit(split);
}

export interface PartsOptions {
  imageBytes: number;
  /** In how many parts a batch is cut at once. */
  parts: number;
  /** Hears of further cuts; without it, want of memory is an error. */
  onSplit: ((split: BatchSplit) => void) | undefined;
}

/** Does `work` on each part of a batch; where there is no memory for one, on its halves. */
export function workInParts<T>(
  batch: AnyStepBatch,
  work: (part: AnyStepBatch) => T,
  { imageBytes, parts, onSplit }: PartsOptions,
): T[] {
  const images = batch.labels.length;
  const waiting = cuts(images, parts).slice(1);
  const results: T[] = [];
  for (let from = 0; from < images; ) {
    const to = waiting[0] ?? images;
    try {
      results.push(work(partOf(batch, { from, to, imageBytes })));
      from = to;
      waiting.shift();
    } catch (error) {
      if (!onSplit || !isOutOfMemory(error) || to - from === 1) throw error;
      waiting.unshift(from + Math.ceil((to - from) / 2));
      onSplit({ images, parts: Math.ceil((2 * images) / (to - from)) });
    }
  }
  return results;
}
