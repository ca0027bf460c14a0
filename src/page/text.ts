// Numbers and names as the page shows them.

import type { BackendName } from './messages.js';

export const backendTitles: Readonly<Record<BackendName, string>> = {
  webgpu: 'WebGPU',
  webgl: 'WebGL',
  wasm: 'WebAssembly',
};

/** A share of 1 as a percentage of three digits at most. */
export function percent(share: number): string {
  const value = share * 100;
  if (value > 0 && value < 0.1) return '< 0.1 %';
  return `${value < 99.95 ? value.toFixed(1) : '100'} %`;
}

/** Millions of bytes, with a digit below ten. */
export function megabytes(bytes: number): string {
  const value = bytes / 1e6;
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} MB`;
}

/** What came of an image. */
export interface Outcome {
  /** In a line. */
  text: string;
  isGood: boolean;
}

/** How many of several images were classified. */
export function imagesInWords(outcomes: readonly Outcome[]): string {
  const good = outcomes.filter(({ isGood }) => isGood).length;
  const bad = outcomes.length - good;
  return `${good} ${good === 1 ? 'image is' : 'images are'} done.${bad > 0 ? ` ${bad} could not be read.` : ''}`;
}

export function milliseconds(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

/** `5 classes`, and the first of them by name. */
export function classesInWords(classes: readonly string[], shown = 8): string {
  const names = classes.slice(0, shown).join(', ');
  return `${classes.length.toLocaleString('en-GB')} classes: ${names}${classes.length > shown ? ' …' : ''}`;
}
