// Training for programs: a run of the command line's, which shows itself to whoever called instead of in a terminal.

import { existsSync } from 'node:fs';
import { type OptionsOf, readValues } from '../options/from-values.js';
import { findRootDir } from '../options/paths.js';
import { trainOptions } from '../options.js';
import type { EpochResult, Metrics, TrainingEvent } from '../reporting/events.js';
import { bestModelFile, modelFile } from '../reporting/run-files.js';
import { silentScreen } from './silent-screen.js';

/**
 * Options of a run, under the command line's names and with its defaults and checks, but for `config`. A length of time is
 * a text, as there (`time_limit: '90m'`), or a number of seconds; an amount of memory is a text or a number of megabytes.
 *
 * @interface
 */
export type TrainOptions = OptionsOf<Omit<typeof trainOptions, 'config'>>;

export interface TrainHooks {
  /** Stops the run after its step: it saves, and can be resumed. */
  signal?: AbortSignal;
  /** Hears all that happens. It is called between steps, and what it throws ends the run. */
  onEvent?: (event: TrainingEvent) => void;
  /** Where the run shows itself as on the command line, such as `process.stdout`; nowhere by default. */
  screen?: NodeJS.WritableStream;
}

export interface TrainResult {
  /** `stopped`: by the signal or a time limit. The run is saved, and goes on with the same `run_name` and `resume: 'last'`. */
  outcome: 'finished' | 'stopped';
  /** All epochs that are over, also those before the run was resumed. */
  history: readonly EpochResult[];
  /** Of the images in `val`; undefined without them, and for a run that was stopped. */
  test: Metrics | undefined;
  /** The weights after the last epoch: a safetensors file with torchvision's names. Undefined before the first is over. */
  modelPath: string | undefined;
  /** The weights after the epoch with the lowest validation loss. */
  bestModelPath: string | undefined;
  /** The last checkpoint. */
  checkpointPath: string | undefined;
}

/**
 * Fine-tunes a network on a folder of images: `deep-cnn train` for programs. It leaves the same files, catches no signals
 * and prints nothing, but for the set-up of TensorFlow at its first use, on stderr. Each step blocks the thread. The first
 * call of a process decides for all on the device and the number of threads.
 *
 * Rejects with a `UserError` for a mistake in options or data, and with the signal's reason where that was aborted before
 * the call.
 */
export async function train(options: TrainOptions, { signal, onEvent, screen }: TrainHooks = {}): Promise<TrainResult> {
  signal?.throwIfAborted();
  const { values, given } = readValues(trainOptions, options, { without: 'config' });
  const { runTraining, wholeProgram } = await import('../commands/train.js');
  const outcome = new Outcome();
  const surroundings = {
    catchStops: () => ({
      first: () => (signal?.aborted ? 'an AbortSignal' : undefined),
      hold: () => undefined,
      release: () => undefined,
    }),
    screen: screen ?? silentScreen(),
    onWait: (line: string) => void screen?.write(`${line}\n`),
    onEvent: (event: TrainingEvent) => {
      outcome.note(event);
      onEvent?.(event);
    },
  };
  await runTraining(values, wholeProgram, { given, surroundings });
  const place = { root_dir: findRootDir(values.root_dir), run_name: values.run_name };
  const ifThere = (path: string) => (existsSync(path) ? path : undefined);
  const { history, test, checkpointPath, isStopped } = outcome;
  const hasModel = history.length > 0;
  return {
    outcome: isStopped ? 'stopped' : 'finished',
    history,
    test,
    modelPath: hasModel ? ifThere(modelFile(place)) : undefined,
    bestModelPath: hasModel ? ifThere(bestModelFile(place)) : undefined,
    checkpointPath,
  };
}

/** What a run's events say of its end. */
class Outcome {
  history: readonly EpochResult[] = [];
  test: Metrics | undefined;
  checkpointPath: string | undefined;
  isStopped = false;

  note(event: TrainingEvent): void {
    if (event.kind === 'resumed') {
      this.history = event.history;
      this.checkpointPath = event.path;
    } else if (event.kind === 'epoch-end') this.history = [...this.history, event.result];
    else if (event.kind === 'checkpoint') this.checkpointPath = event.path;
    else if (event.kind === 'finished') this.test = event.test;
    else if (event.kind === 'stopped') {
      this.isStopped = true;
      this.checkpointPath = event.path;
    }
  }
}
