// Whether a network is right as often as its probabilities say: Guo et al. 2017 (arXiv:1706.04599).

/** Images whose predicted class got a probability above `from` and up to `to`; all in percent. */
export interface CalibrationBin {
  from: number;
  to: number;
  images: number;
  /** The mean of those probabilities; null where there are no images. */
  confidence: number | null;
  /** How many of the predictions are right. */
  accuracy: number | null;
}

export interface CalibrationResult {
  /** The expected calibration error: |accuracy - confidence| of the bins, averaged over the images; percent. */
  ece: number;
  bins: CalibrationBin[];
}

const binCount = 15;

/** Sorts predictions into 15 bins of equal width by the probability of the predicted class. */
export class Calibration {
  readonly #sums = Array.from({ length: binCount }, () => ({ images: 0, confidence: 0, correct: 0 }));

  /** `confidence`: the probability of the predicted class, 0 to 1. */
  add(confidence: number, isCorrect: boolean): void {
    const index = Math.min(binCount - 1, Math.max(0, Math.ceil(confidence * binCount) - 1));
    const sums = this.#sums[index];
    if (!sums) return;
    sums.images += 1;
    sums.confidence += confidence;
    if (isCorrect) sums.correct += 1;
  }

  get result(): CalibrationResult {
    const images = this.#sums.reduce((total, sums) => total + sums.images, 0);
    const gaps = this.#sums.reduce((total, { correct, confidence }) => total + Math.abs(correct - confidence), 0);
    const bins = this.#sums.map(({ images: inBin, confidence, correct }, index) => ({
      from: (100 * index) / binCount,
      to: (100 * (index + 1)) / binCount,
      images: inBin,
      confidence: inBin === 0 ? null : (100 * confidence) / inBin,
      accuracy: inBin === 0 ? null : (100 * correct) / inBin,
    }));
    return { ece: (100 * gaps) / images, bins };
  }
}
