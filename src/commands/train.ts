import { setDecodeThreads } from '../data/threads.js';
import { exitCode, UserError } from '../errors.js';
import { checkModelName } from '../options/model-name.js';
import { completeConfig, type TrainConfig, trainOptions } from '../options.js';
import type { Report } from '../reporting/events.js';
import type { Command } from './command.js';

/** What the command needs from the rest of the program; tests put their own in. */
export interface TrainParts {
  modelNames: () => Promise<readonly string[]>;
  /** Loads the trainer, TensorFlow and all. */
  loadTrainer: () => Promise<(config: TrainConfig, report: Report) => Promise<void>>;
}

const parts: TrainParts = {
  modelNames: async () => (await import('../models/registry.js')).modelNames(),
  loadTrainer: async () => (await import('../training/train.js')).train,
};

export const trainCommand: Command<typeof trainOptions> = {
  name: 'train',
  summary: 'Fine-tune a network on a folder of images',
  options: trainOptions,
  run: (values, _, given) => runTraining(values, parts, given),
};

/**
 * Trains as told, with all reporters listening.
 * @throws UserError for a mistake in the options, before anything is created.
 */
export async function runTraining(
  values: TrainConfig,
  { modelNames, loadTrainer }: TrainParts,
  _given: ReadonlySet<string> = new Set(),
): Promise<number> {
  // Before anything else: the thread pool takes its size when it is first used.
  setDecodeThreads(values.workers);
  checkModelName(values.model, await modelNames());
  if (values.wandb) {
    throw new UserError('W&B logging is not part of this version yet', {
      mend: 'Run with --wandb=False and compare runs by the files in outputs/results',
    });
  }
  const config = completeConfig(values);
  const { createReporters } = await import('../reporting/reporters.js');
  const reporters = createReporters({ config, stream: process.stdout });
  try {
    const train = await loadTrainer();
    await train(config, (event) => reporters.handle(event));
  } catch (error) {
    reporters.handle({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
    throw error;
  } finally {
    await reporters.close();
  }
  return exitCode.ok;
}
