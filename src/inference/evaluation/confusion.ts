// Which class is taken for which, and what follows for each class.

/** Of one class, in percent. */
export interface ClassScores {
  /** How many of the images that are taken for it are of it; null where none is. */
  precision: number | null;
  /** How many of its images are taken for it; null where it has none. */
  recall: number | null;
  /** The harmonic mean of both: 2 hits / (images + taken for it); null where neither is there. */
  f1: number | null;
  /** Images of the class. */
  support: number;
}

/** Of all classes that have images, in percent. What is null counts as 0, as in scikit-learn. */
export type MeanScores = Record<'precision' | 'recall' | 'f1', number>;

/** One class taken for another. */
export interface Mistake {
  /** Indices of classes. */
  actual: number;
  predicted: number;
  images: number;
}

export class ConfusionMatrix {
  readonly size: number;
  /** Row-major: rows are the images' own classes, columns what they are taken for. */
  readonly #counts: Uint32Array;

  constructor(size: number) {
    this.size = size;
    this.#counts = new Uint32Array(size * size);
  }

  add(actual: number, predicted: number, images = 1): void {
    const at = actual * this.size + predicted;
    this.#counts[at] = (this.#counts[at] ?? 0) + images;
  }

  /** Images of the class `actual` that are taken for `predicted`. */
  at(actual: number, predicted: number): number {
    return this.#counts[actual * this.size + predicted] ?? 0;
  }

  row(actual: number): Uint32Array {
    return this.#counts.subarray(actual * this.size, (actual + 1) * this.size);
  }

  /** In the order of the classes. */
  get classScores(): ClassScores[] {
    const predicted = new Uint32Array(this.size);
    const support = new Uint32Array(this.size);
    for (let actual = 0; actual < this.size; actual++) {
      for (const [column, images] of this.row(actual).entries()) {
        predicted[column] = (predicted[column] ?? 0) + images;
        support[actual] = (support[actual] ?? 0) + images;
      }
    }
    const percent = (part: number, whole: number) => (whole === 0 ? null : (100 * part) / whole);
    return Array.from(support, (images, index) => {
      const hits = this.at(index, index);
      const taken = predicted[index] ?? 0;
      return {
        precision: percent(hits, taken),
        recall: percent(hits, images),
        f1: percent(2 * hits, images + taken),
        support: images,
      };
    });
  }

  /** The commonest first, at most `limit`. */
  mistakes(limit: number): Mistake[] {
    const all: Mistake[] = [];
    for (let actual = 0; actual < this.size; actual++) {
      for (const [predicted, images] of this.row(actual).entries()) {
        if (images > 0 && predicted !== actual) all.push({ actual, predicted, images });
      }
    }
    return all.sort((a, b) => b.images - a.images).slice(0, limit);
  }
}

/** `macro`: each class counts alike; `weighted`: each image does. */
export function meanScores(classes: readonly ClassScores[]): Record<'macro' | 'weighted', MeanScores> {
  const present = classes.filter(({ support }) => support > 0);
  const mean = (weight: (scores: ClassScores) => number): MeanScores => {
    const total = present.reduce((sum, scores) => sum + weight(scores), 0);
    const of = (name: 'precision' | 'recall' | 'f1') =>
      present.reduce((sum, scores) => sum + weight(scores) * (scores[name] ?? 0), 0) / total;
    return { precision: of('precision'), recall: of('recall'), f1: of('f1') };
  };
  return { macro: mean(() => 1), weighted: mean(({ support }) => support) };
}
