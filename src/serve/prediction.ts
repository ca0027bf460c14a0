// What the server answers about an image.

import { defined } from '../defined.js';
import { topClasses } from '../inference/ranking.js';
import { HttpError } from './http-error.js';

export interface Prediction extends Candidate {
  /** The most likely classes, the most likely first. */
  top: readonly Candidate[];
}

export interface Candidate {
  category: string;
  probability: number;
}

const usualCount = 5;

/** The number of classes that a request wants to see. Throws an HttpError for what is no such number, and for others. */
export function countOf(parameters: URLSearchParams, classes: number): number {
  const unknown = [...parameters.keys()].find((name) => name !== 'top');
  if (unknown !== undefined) {
    throw new HttpError(400, `Unknown parameter: expected top or none, found ${JSON.stringify(unknown)}.`);
  }
  const [text, ...more] = parameters.getAll('top');
  if (more.length > 0) throw new HttpError(400, `Bad top: expected one, found ${more.length + 1}.`);
  if (text === undefined) return Math.min(usualCount, classes);
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (count < 1) throw new HttpError(400, `Bad top: expected a whole number from 1 on, found ${JSON.stringify(text)}.`);
  return Math.min(count, classes);
}

export function predictionOf(probabilities: Float32Array, classes: readonly string[], count: number): Prediction {
  const top = topClasses(probabilities, count).map((index) => ({
    category: defined(classes[index]),
    probability: defined(probabilities[index]),
  }));
  return { ...defined(top[0]), top };
}
