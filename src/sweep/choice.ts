import { assignmentText } from '../options/option-text.js';
import type { Trial } from './study.js';

/** What was chosen for a trial, in words: `batch_size=32 lr=0.001`. */
export function choiceOf({ params }: Pick<Trial, 'params'>): string {
  const entries = Object.entries(params);
  return entries.length === 0
    ? 'nothing to choose'
    : entries.map(([name, value]) => assignmentText(name, value)).join(' ');
}

/** The names of all that was chosen for any of the trials. */
export function chosenNames(trials: readonly Pick<Trial, 'params'>[]): string[] {
  return [...new Set(trials.flatMap(({ params }) => Object.keys(params)))].sort();
}
