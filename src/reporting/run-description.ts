// What a run was, beside its table of results: options, versions, data and outcome, for people, for other programs, and
// for repeating it.

import { readFileSync } from 'node:fs';
import { messageOf, UserError } from '../errors.js';
import { isRecord } from '../is-record.js';
import type { ProgramFacts } from '../program.js';
import type { EpochTiming } from './epoch-timings.js';
import type { EpochResult, Metrics } from './events.js';
import type { RunFiles } from './run-files.js';

/** The content of `outputs/results/<run_name><time>.json`. Times are ISO 8601 in UTC. */
export interface RunDescription {
  state: 'running' | 'finished' | 'stopped' | 'failed';
  /** Why it stopped or failed. */
  reason?: string;
  started: string;
  /** When the run was gone on with. */
  resumed: readonly string[];
  /** When this was written. */
  written: string;
  program: ProgramFacts & { tensorflow?: string };
  /** Where it ran last. */
  device: { kind: 'cpu' | 'cuda'; precision?: string; threads?: number };
  /** Every option of the run, whether given or not. */
  options: Readonly<Record<string, unknown>>;
  data: {
    classes: readonly string[];
    train: number;
    validation: number;
    test: number;
    /** Of the images' names and labels, in the order of the split. */
    sha256: string;
  };
  /** What it started from; null for random weights. */
  weights?: string | null;
  epochs: readonly EpochResult[];
  /** Where the time of these epochs went; of some or all of them. */
  timings?: readonly EpochTiming[];
  test?: Metrics;
  /** The run's other files. */
  files: RunFiles;
}

/** The description that belongs to a run's table of results. */
export function descriptionFile({ results }: Pick<RunFiles, 'results'>): string {
  return results.replace(/\.csv$/, '.json');
}

/** The page that belongs to a run's table of results. */
export function reportFile({ results }: Pick<RunFiles, 'results'>): string {
  return results.replace(/\.csv$/, '.html');
}

/** Throws where the text is no description. */
export function parseDescription(text: string): RunDescription {
  const value: unknown = JSON.parse(text);
  const has = (name: string, type: string) => isRecord(value) && typeof value[name] === type;
  if (!has('started', 'string') || !has('options', 'object') || !has('data', 'object') || !has('epochs', 'object')) {
    throw new Error('not the description of a run');
  }
  return value as RunDescription;
}

/**
 * The description in a file.
 * @throws UserError where there is none.
 */
export function readRunDescription(path: string): RunDescription {
  try {
    return parseDescription(readFileSync(path, 'utf8'));
  } catch (error) {
    const parts = { expected: 'the JSON description that a run leaves in outputs/results', found: messageOf(error) };
    throw new UserError(`Cannot read the run ${path}`, parts, { cause: error });
  }
}
