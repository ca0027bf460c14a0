// Evaluation for programs: what `deep-cnn evaluate` measures and writes.

import type { EvaluationReport, evaluateOptions } from '../commands/evaluate.js';
import { type OptionsOf, readValues } from '../options/from-values.js';
import { silentScreen } from './silent-screen.js';

/**
 * Options of an evaluation, under the command line's names and with its defaults and checks.
 *
 * @interface
 */
export type EvaluateOptions = OptionsOf<Omit<typeof evaluateOptions, 'json'>>;

export interface EvaluateHooks {
  /** Hears, as a line, what is odd about the images, such as a class that the network does not know. */
  onWarning?: (line: string) => void;
}

/**
 * Measures a trained network on images whose classes are known, writes the tables and plots of `deep-cnn evaluate`, and
 * resolves with what evaluation.json holds.
 *
 * Rejects with a `UserError` for a mistake in options or data.
 */
export async function evaluate(
  options: EvaluateOptions,
  { onWarning = () => undefined }: EvaluateHooks = {},
): Promise<EvaluationReport> {
  const { evaluateOptions, evaluateNetwork } = await import('../commands/evaluate.js');
  const { values } = readValues(evaluateOptions, options, { without: 'json' });
  return (await evaluateNetwork(values, { tell: onWarning, screen: silentScreen() })).report;
}
