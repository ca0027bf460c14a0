import type { Metrics } from '../reporting/events.js';
import type { StepResult } from './steps.js';

/** Gathers batches into per-image means over all of them. */
export class MeanMetrics {
  private images = 0;
  private lossSum = 0;
  private correctAt1 = 0;
  private correctAt5 = 0;

  add({ images, loss, correctAt1, correctAt5 }: StepResult): void {
    this.images += images;
    this.lossSum += loss * images;
    this.correctAt1 += correctAt1;
    this.correctAt5 += correctAt5;
  }

  /** Not a number where no batch was added. */
  get result(): Metrics {
    const { images } = this;
    return {
      images,
      loss: this.lossSum / images,
      precisionAt1: (100 * this.correctAt1) / images,
      precisionAt5: (100 * this.correctAt5) / images,
    };
  }
}
