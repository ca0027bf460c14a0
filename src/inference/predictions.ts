// What is told of each image: a row of a CSV table, or a line of JSON.

import { csvRow } from '../reporting/csv.js';
import { classIndices } from './class-names.js';
import type { ImageResult } from './classify-images.js';
import { topClasses } from './ranking.js';

export interface Prediction {
  image: string;
  /** The most likely classes, the most likely one first; none where the image could not be read. */
  top: readonly { category: string; probability: number }[];
  /** Where a folder in the image's path has the name of a class. */
  trueClass?: string;
  /** Whether that is the most likely class. */
  isCorrect?: boolean;
  /** Why the image could not be read. */
  error?: string;
  /** The picture that explains it. */
  explanation?: string;
}

/** Turns results into predictions of a network with these classes. */
export function createPredictor(
  classes: readonly string[],
  topK: number,
): (result: ImageResult, explanation?: string) => Prediction {
  const indices = classIndices(classes);
  const nameOf = (index: number) => classes[index] ?? String(index);
  return (result, explanation) => {
    const truth = trueClassOf(result.path, indices);
    const known = truth === undefined ? {} : { trueClass: nameOf(truth) };
    if ('error' in result) return { image: result.path, top: [], ...known, error: result.error };
    const { probabilities } = result;
    const best = topClasses(probabilities, topK);
    return {
      image: result.path,
      top: best.map((index) => ({ category: nameOf(index), probability: probabilities[index] ?? Number.NaN })),
      ...known,
      ...(truth !== undefined && { isCorrect: best[0] === truth }),
      ...(explanation !== undefined && { explanation }),
    };
  };
}

/** The class after which the nearest folder in a path is named, if any is. */
function trueClassOf(path: string, indices: ReadonlyMap<string, number>): number | undefined {
  const folder = path
    .split('/')
    .slice(0, -1)
    .findLast((name) => indices.has(name));
  return folder === undefined ? undefined : indices.get(folder);
}

/** How predictions are written. */
export interface PredictionFormat {
  /** What stands before the first one. */
  heading: string;
  /** One line, with its line feed. */
  line(prediction: Prediction): string;
}

/**
 * A CSV table: the columns image, category, probability, for each further class category_2, probability_2 and so on, then
 * true_class, correct, explanation (where there are any) and error. What does not apply is left empty.
 */
export function csvPredictions(topK: number, { explains }: { explains: boolean }): PredictionFormat {
  const suffixes = Array.from({ length: topK }, (_, index) => (index === 0 ? '' : `_${index + 1}`));
  const classColumns = suffixes.flatMap((suffix) => [`category${suffix}`, `probability${suffix}`]);
  const explanation = explains ? ['explanation'] : [];
  return {
    heading: csvRow(['image', ...classColumns, 'true_class', 'correct', ...explanation, 'error']),
    line: (prediction) => {
      const { image, top, trueClass, isCorrect, error } = prediction;
      const cells = suffixes.flatMap((_, index) => {
        const found = top[index];
        return found ? [found.category, found.probability.toFixed(6)] : ['', ''];
      });
      const last = [trueClass ?? '', String(isCorrect ?? ''), ...explanation.map(() => prediction.explanation ?? '')];
      return csvRow([image, ...cells, ...last, error ?? '']);
    },
  };
}

/** A JSON object a line, with the same names; `top` lists the most likely classes where more than one is wanted. */
export function jsonPredictions(topK: number): PredictionFormat {
  const rounded = (probability: number) => Number(probability.toPrecision(7));
  return {
    heading: '',
    line: ({ image, top, trueClass, isCorrect, error, explanation }) => {
      const best = top.map(({ category, probability }) => ({ category, probability: rounded(probability) }));
      const told = {
        ...{ image, ...best[0] },
        ...(topK > 1 && error === undefined && { top: best }),
        ...{ true_class: trueClass, correct: isCorrect, explanation, error },
      };
      return `${JSON.stringify(told)}\n`;
    },
  };
}
