// `deep-cnn find-lr`: which learning rate suits a network and its data, found out by raising it.

import { join } from 'node:path';
import { setDecodeThreads } from '../data/threads.js';
import { exitCode, UserError } from '../errors.js';
import type { Command } from '../options/command.js';
import { completeConfig } from '../options/complete-config.js';
import { checkModelName } from '../options/model-name.js';
import { decimal, integer, integersFrom, type ValuesOf } from '../options/spec.js';
import { type TrainConfig, trainOptions } from '../options.js';
import type { TrainingEvent } from '../reporting/events.js';
import type { SuggestedRates } from '../training/lr-range.js';
import type { RangeTestResult } from '../training/range-test.js';
import { standardVoices, type Voices } from './voices.js';

const range = 'Range';

export const findLrOptions = {
  min_lr: decimal({
    group: range,
    help: 'Learning rate of the first step',
    default: 1e-7,
    expected: trainOptions.lr.expected,
    isInRange: (rate) => trainOptions.lr.parse(String(rate)) !== undefined,
  }),
  max_lr: decimal({
    group: range,
    help: 'Learning rate of the last step, which is left out where the loss has grown far before',
    default: 10,
    expected: trainOptions.lr.expected,
    isInRange: (rate) => trainOptions.lr.parse(String(rate)) !== undefined,
  }),
  steps: integer({
    group: range,
    help: 'Steps from the one to the other',
    default: 200,
    ...integersFrom(20, 100_000),
  }),
  ...trainOptions,
};

type Values = ValuesOf<typeof findLrOptions>;

export const findLrCommand: Command<typeof findLrOptions> = {
  name: 'find-lr',
  summary: 'Find a learning rate: raise it from step to step and watch the loss',
  options: findLrOptions,
  run: (values) => findLearningRate(values, standardVoices),
};

/**
 * Trains a while with the options of a run, writes a table and plots, and prints which rate to take. Throws a `UserError`
 * for a mistake in the options or the data.
 */
export async function findLearningRate(values: Values, { print, tell }: Voices): Promise<number> {
  // Before anything else: the thread pool takes its size when it is first used.
  setDecodeThreads(values.workers);
  const { min_lr: from, max_lr: to, steps, ...options } = values;
  if (from >= to) {
    throw new UserError('Bad value for max_lr', { expected: `more than the ${from} of --min_lr`, found: String(to) });
  }
  if (options.resume !== undefined) {
    throw new UserError('--resume does not go with find-lr', { mend: 'Leave it out: the test begins anew' });
  }
  // One rate would be found for two networks, of which the second is the one that is trained longer.
  if (options.unfreeze_epoch > 0) {
    throw new UserError('--unfreeze_epoch does not go with find-lr', {
      mend: 'Leave it out to find a rate for what is trained at first, and --freeze, too, for all that is trained later',
    });
  }
  const { modelNames } = await import('../models/registry.js');
  checkModelName(options.model, modelNames());
  const config = completeConfig(options);
  const [{ runRangeTest }, { createScanProgress }, { writeRange }] = await Promise.all([
    import('../training/range-test.js'),
    import('../reporting/scan-progress.js'),
    import('../report/lr-range-files.js'),
  ]);
  const progress = createScanProgress(process.stderr);
  progress.update('Raising the rate', 0, steps);
  const result = await runRangeTest(
    config,
    { from, to, steps },
    {
      report: tellProblems(tell),
      onStep: (done) => progress.update('Raising the rate', done, steps),
    },
  ).finally(() => progress.close());
  const { suggestion, paths } = await writeRange(join(config.root_dir, 'outputs', 'find-lr'), config.run_name, result);
  for (const line of conclusion(result, suggestion, config)) print(`${line}\n`);
  print(`Table and plots: ${paths.join(', ')}\n`);
  return exitCode.ok;
}

/** Of a run's events those that its user should know. */
function tellProblems(tell: Voices['tell']): (event: TrainingEvent) => void {
  return (event) => {
    if (event.kind === 'warning') tell(`WARNING: ${event.message}`);
    else if (event.kind === 'note') tell(event.message);
    else if (event.kind === 'bad-image') tell(`WARNING: Left out ${event.path}: ${event.reason}`);
  };
}

function conclusion(
  { points, hasDiverged }: RangeTestResult,
  suggestion: SuggestedRates | undefined,
  { optimizer }: TrainConfig,
): string[] {
  const rate = (value: number) => value.toPrecision(2);
  const last = points.at(-1)?.learningRate;
  const end = hasDiverged && last !== undefined ? [`The loss grew far beyond its lowest at ${rate(last)}`] : [];
  if (!suggestion) {
    return [...end, 'The loss does not fall: no rate can be suggested. Try more --steps or another --batch_size'];
  }
  const { steepest, tenthOfLowest } = suggestion;
  return [
    ...end,
    `Suggested: --lr=${rate(steepest)}, where the loss falls fastest (with ${optimizer})`,
    tenthOfLowest === undefined
      ? `The loss has not grown again up to ${rate(last ?? 0)}: how large a rate may be is not known`
      : `Another rule: --lr=${rate(tenthOfLowest)}, a tenth of the rate at which the loss is lowest`,
  ];
}
