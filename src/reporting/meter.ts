import type { Progress } from './bar-line.js';
import type { TrainingEvent } from './events.js';

type EpochStart = Extract<TrainingEvent, { kind: 'epoch-start' }>;
type Step = Extract<TrainingEvent, { kind: 'step' }>;

/** Share that the last step has in the running rate, as in tqdm. */
const smoothing = 0.3;

/**
 * Counts and times the training steps of one epoch. The rate follows the last steps until the epoch is over, then it is
 * the epoch's mean.
 */
export class Meter {
  readonly #start: EpochStart;
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

  constructor(start: EpochStart, nowMs: () => number) {
    this.#start = start;
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
  }

  add({ batch, images, loss, elapsedMs, waitMs }: Step): void {
    this.#batch = batch;
    this.#steps += 1;
    this.#images += images;
    this.#loss = loss;
    this.#elapsedMs += elapsedMs;
    this.#waitMs += waitMs;
    this.#recentStepMs = (this.#recentStepMs ?? elapsedMs) * (1 - smoothing) + elapsedMs * smoothing;
  }

  read(): Progress {
    const { epoch, batches } = this.#start;
    const isOver = this.#batch >= batches;
    const stepMs = isOver ? this.#elapsedMs / this.#steps : (this.#recentStepMs ?? 0);
    const imagesPerStep = this.#images / this.#steps;
    const isTimed = this.#elapsedMs > 0 && stepMs > 0;
    return {
      epoch,
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
