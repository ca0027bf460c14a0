import type { Metrics } from '../reporting/events.js';
import type { StepResult } from './steps.js';

/** What is added up over batches. */
export interface MetricSums {
  images: number;
  /** Each image's loss. */
  loss: number;
  correctAt1: number;
  correctAt5: number;
}

const nothing: MetricSums = { images: 0, loss: 0, correctAt1: 0, correctAt5: 0 };

/** Gathers batches into per-image means over all of them. */
export class MeanMetrics {
  readonly #sums: MetricSums;

  /** Goes on from `sums`, which is copied. */
  constructor(sums: MetricSums = nothing) {
    this.#sums = { ...sums };
  }

  add({ images, loss, correctAt1, correctAt5 }: StepResult): void {
    const sums = this.#sums;
    sums.images += images;
    sums.loss += loss * images;
    sums.correctAt1 += correctAt1;
    sums.correctAt5 += correctAt5;
  }

  get sums(): MetricSums {
    return { ...this.#sums };
  }

  /** Not a number where no batch was added. */
  get result(): Metrics {
    const { images, loss, correctAt1, correctAt5 } = this.#sums;
    return {
      images,
      loss: loss / images,
      precisionAt1: (100 * correctAt1) / images,
      precisionAt5: (100 * correctAt5) / images,
    };
  }
}
