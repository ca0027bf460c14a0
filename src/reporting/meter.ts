import type { Progress } from './bar-line.js';
import type { BatchDone } from './events.js';

/** A pass over images that begins. */
export interface Pass {
  title: string;
  batches: number;
  /** Nothing of its progress stays on the screen when it is over. */
  isTransient: boolean;
}

/** Share that the last step has in the running rate, as in tqdm. */
const smoothing = 0.3;

/**
 * Counts and times the batches of one pass. The rate follows the last batches until the pass is over, then it is the
 * mean.
 */
export class Meter {
  readonly #start: Pass;
  readonly #nowMs: () => number;
  readonly #startMs: number;
  #batch = 0;
  /** Differs from the batch where a run goes on in the middle of an epoch. */
  #steps = 0;
  #images = 0;
  #loss: number | undefined;
  #elapsedMs = 0;
  #waitMs = 0;
  #recentStepMs: number | undefined;

  constructor(start: Pass, nowMs: () => number) {
    this.#start = start;
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
  }

  get isTransient(): boolean {
    return this.#start.isTransient;
  }

  add({ batch, images, loss, elapsedMs, waitMs }: BatchDone): void {
    this.#batch = batch;
    this.#steps += 1;
    this.#images += images;
    this.#loss = loss;
    this.#elapsedMs += elapsedMs;
    this.#waitMs += waitMs;
    this.#recentStepMs = (this.#recentStepMs ?? elapsedMs) * (1 - smoothing) + elapsedMs * smoothing;
  }

  read(): Progress {
    const { title, batches } = this.#start;
    const isOver = this.#batch >= batches;
    const stepMs = isOver ? this.#elapsedMs / this.#steps : (this.#recentStepMs ?? 0);
    const imagesPerStep = this.#images / this.#steps;
    const isTimed = this.#elapsedMs > 0 && stepMs > 0;
    return {
      title,
      batch: this.#batch,
      batches,
      elapsedMs: this.#nowMs() - this.#startMs,
      loss: this.#loss,
      batchesPerSecond: isTimed ? 1000 / stepMs : undefined,
      imagesPerSecond: isTimed ? (1000 / stepMs) * imagesPerStep : undefined,
      waitShare: isTimed ? this.#waitMs / this.#elapsedMs : undefined,
    };
  }
}
