// How good a network is on images whose classes are known.

import { defined } from '../../defined.js';
import type { ClassifiedImage } from '../classify-images.js';
import { mostLikely, rankOf } from '../ranking.js';
import { Calibration, type CalibrationResult } from './calibration.js';
import { type ClassScores, ConfusionMatrix, type MeanScores, type Mistake, meanScores } from './confusion.js';
import { type Share, wilsonShare } from './wilson.js';

export interface EvaluationResult {
  images: number;
  /** Mean cross-entropy, in nats. */
  loss: number;
  /** Images whose own class is the most likely one, or among the five most likely (or all, where there are fewer). */
  precisionAt1: Share;
  precisionAt5: Share;
  macro: MeanScores;
  weighted: MeanScores;
  calibration: CalibrationResult;
  classes: ({ name: string } & ClassScores)[];
  /** The commonest ones, by the names of the classes. */
  mistakes: (Omit<Mistake, 'actual' | 'predicted'> & Record<'actual' | 'predicted', string>)[];
}

const shownMistakes = 20;

/** Adds up images, one by one. */
export class Evaluation {
  readonly confusion: ConfusionMatrix;
  readonly #classes: readonly string[];
  readonly #calibration = new Calibration();
  #images = 0;
  #loss = 0;
  #correctAt1 = 0;
  #correctAt5 = 0;

  constructor(classes: readonly string[]) {
    this.#classes = classes;
    this.confusion = new ConfusionMatrix(classes.length);
  }

  get images(): number {
    return this.#images;
  }

  /** Returns the predicted class. */
  add({ label, probabilities, logProbabilities }: Omit<ClassifiedImage, 'path'>): number {
    const predicted = mostLikely(probabilities);
    const rank = rankOf(label, probabilities);
    this.#images += 1;
    this.#loss -= defined(logProbabilities[label], 'an image of no class');
    if (rank < 1) this.#correctAt1 += 1;
    if (rank < 5) this.#correctAt5 += 1;
    this.confusion.add(label, predicted);
    this.#calibration.add(defined(probabilities[predicted]), predicted === label);
    return predicted;
  }

  get result(): EvaluationResult {
    const scores = this.confusion.classScores;
    const nameOf = (index: number) => defined(this.#classes[index]);
    return {
      images: this.#images,
      loss: this.#loss / this.#images,
      precisionAt1: wilsonShare(this.#correctAt1, this.#images),
      precisionAt5: wilsonShare(this.#correctAt5, this.#images),
      ...meanScores(scores),
      calibration: this.#calibration.result,
      classes: scores.map((each, index) => ({ name: nameOf(index), ...each })),
      mistakes: this.confusion.mistakes(shownMistakes).map(({ actual, predicted, images }) => ({
        ...{ actual: nameOf(actual), predicted: nameOf(predicted), images },
      })),
    };
  }
}
