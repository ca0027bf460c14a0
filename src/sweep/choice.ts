import type { Trial } from './study.js';

/** What was chosen for a trial, in words: `batch_size=32 lr=0.001`. */
export function choiceOf({ params }: Pick<Trial, 'params'>): string {
  const entries = Object.entries(params);
  return entries.length === 0 ? 'nothing to choose' : entries.map(([name, value]) => `${name}=${value}`).join(' ');
}
