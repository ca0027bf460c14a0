// The test at the end of a run in detail: which classes and images the network gets wrong.

import { readFileSync } from 'node:fs';
import { writeTextAtomically } from '../atomic-file.js';
import type { LabelledImage } from '../data/image-list.js';
import { defined } from '../defined.js';
import type { ClassifiedImage } from '../inference/classify-images.js';
import { ConfusionMatrix } from '../inference/evaluation/confusion.js';
import { Evaluation, type EvaluationResult } from '../inference/evaluation/evaluation.js';
import type { RunFiles } from '../reporting/run-files.js';

/** An image and what the network makes of it. */
export interface TestedImage {
  path: string;
  /** Names of classes. */
  class: string;
  takenFor: string;
  /** Of these two classes, 0 to 1. */
  probability: number;
  takenForProbability: number;
  /** Cross-entropy, in nats. */
  loss: number;
}

/** The content of `outputs/results/<run_name><time>.test.json`. */
export interface TestDetail extends EvaluationResult {
  /** For each class in turn what its images are taken for, as `class:images` with the class's number from 0. */
  confusion: readonly string[];
  /** Those of the highest loss, the highest first. */
  worst: readonly TestedImage[];
}

const shownImages = 24;

/** Adds up the images of a test. */
export class TestRecord {
  readonly #classes: readonly string[];
  readonly #evaluation: Evaluation;
  #worst: TestedImage[] = [];

  constructor(classes: readonly string[]) {
    this.#classes = classes;
    this.#evaluation = new Evaluation(classes);
  }

  add(image: ClassifiedImage): void {
    const predicted = this.#evaluation.add(image);
    const { path, label, probabilities, logProbabilities } = image;
    const loss = -defined(logProbabilities[label]);
    const least = this.#worst.at(-1)?.loss ?? 0;
    if (this.#worst.length === shownImages && loss <= least) return;
    const nameOf = (index: number) => defined(this.#classes[index]);
    const tested = {
      ...{ path, class: nameOf(label), takenFor: nameOf(predicted), loss },
      probability: defined(probabilities[label]),
      takenForProbability: defined(probabilities[predicted]),
    };
    this.#worst = [...this.#worst, tested].sort((a, b) => b.loss - a.loss).slice(0, shownImages);
  }

  /** By the scores of a batch: [N, classes], row-major. */
  addScores(images: readonly LabelledImage[], scores: Float32Array): void {
    const classes = this.#classes.length;
    for (const [row, image] of images.entries()) {
      this.add({ ...image, ...softmax(scores.subarray(row * classes, (row + 1) * classes)) });
    }
  }

  /** Undefined where there was no image. */
  get detail(): TestDetail | undefined {
    const { images, result, confusion } = this.#evaluation;
    return images === 0 ? undefined : { ...result, confusion: encode(confusion), worst: this.#worst };
  }
}

function softmax(scores: Float32Array): Pick<ClassifiedImage, 'probabilities' | 'logProbabilities'> {
  const highest = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const logSum = highest + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - highest), 0));
  const logProbabilities = scores.map((score) => score - logSum);
  return { logProbabilities, probabilities: logProbabilities.map(Math.exp) };
}

function encode(confusion: ConfusionMatrix): string[] {
  return Array.from({ length: confusion.size }, (_, actual) => {
    const cells = Array.from(confusion.row(actual), (images, predicted) =>
      images > 0 ? `${predicted}:${images}` : '',
    );
    return cells.filter((cell) => cell !== '').join(' ');
  });
}

/** The matrix that a test in detail keeps as texts. */
export function confusionOf({ confusion: rows }: Pick<TestDetail, 'confusion'>): ConfusionMatrix {
  const confusion = new ConfusionMatrix(rows.length);
  for (const [actual, row] of rows.entries()) {
    for (const cell of row.split(' ').filter((text) => text !== '')) {
      const [predicted = 0, images = 0] = cell.split(':').map(Number);
      confusion.add(actual, predicted, images);
    }
  }
  return confusion;
}

/** The file that belongs to a run's table of results. */
export function testDetailFile({ results }: Pick<RunFiles, 'results'>): string {
  return results.replace(/\.csv$/, '.test.json');
}

/** Writes the file whole, beside the run's table of results. */
export function writeTestDetail(files: RunFiles, detail: TestDetail): void {
  writeTextAtomically(testDetailFile(files), `${JSON.stringify(detail, undefined, 2)}\n`);
}

/** Undefined where there is none that can be read. */
export function readTestDetail(files: Pick<RunFiles, 'results'>): TestDetail | undefined {
  try {
    const detail = JSON.parse(readFileSync(testDetailFile(files), 'utf8')) as Partial<TestDetail>;
    const isWhole = Array.isArray(detail.confusion) && Array.isArray(detail.worst) && Array.isArray(detail.classes);
    return isWhole ? (detail as TestDetail) : undefined;
  } catch {
    return undefined;
  }
}
