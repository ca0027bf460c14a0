// A run's options: which of them are not the defaults, and which differ between runs.

import { trainOptions } from '../options.js';
import type { RunDescription } from '../reporting/run-description.js';

type Options = RunDescription['options'];

export interface OptionValue {
  name: string;
  value: unknown;
}

/** In the order of the table of options, those that it does not know last. `changed` are not as they are by default. */
export function splitOptions(options: Options): { changed: OptionValue[]; unchanged: OptionValue[] } {
  const all = inOrder([options]).map((name) => ({ name, value: options[name] }));
  const isDefault = ({ name, value }: OptionValue) => isSame(value, defaultOf(name));
  return { changed: all.filter((each) => !isDefault(each)), unchanged: all.filter(isDefault) };
}

export interface DifferentOption {
  name: string;
  /** One for each run. */
  values: unknown[];
}

/** Those that not all runs have alike, but for their names. */
export function differentOptions(runs: readonly Options[]): DifferentOption[] {
  return inOrder(runs)
    .filter((name) => name !== 'run_name')
    .map((name) => ({ name, values: runs.map((options) => options[name]) }))
    .filter(({ values }) => values.some((value) => !isSame(value, values[0])));
}

function inOrder(runs: readonly Options[]): string[] {
  const names = new Set(runs.flatMap((options) => Object.keys(options)));
  const known = Object.keys(trainOptions);
  return [...known.filter((name) => names.has(name)), ...[...names].filter((name) => !known.includes(name))];
}

function defaultOf(name: string): unknown {
  return Object.hasOwn(trainOptions, name) ? trainOptions[name as keyof typeof trainOptions].default() : undefined;
}

/** JSON leaves out what is undefined. */
const isSame = (a: unknown, b: unknown) => (a ?? undefined) === (b ?? undefined);
