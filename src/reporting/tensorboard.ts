// TensorBoard's view of a run: one point an epoch, and in a run of its own, `steps`, the loss within epochs.
import { join } from 'node:path';
import type { EpochResult, Metrics, Reporter, Split } from './events.js';
import { once } from './once.js';
import { createEventFile, type EventFile, stepsOf } from './tensorboard-file.js';

export interface TensorboardSettings {
  /** The run's own folder, `outputs/tensorboard/<run_name>`. */
  folder: string;
  /** Hears, once, that event files can't be written. Points are kept, and written as soon as that is possible. */
  onFailure: (error: unknown) => void;
  now?: () => Date;
}

/** Between two points of the loss within an epoch. */
const stepPointMs = 10_000;

/** Where a run's event files are. */
export function tensorboardFolder(config: { root_dir: string; run_name: string }): string {
  return join(config.root_dir, 'outputs', 'tensorboard', config.run_name);
}

/**
 * Writes event files from the first epoch on. A run that begins anew takes the place of an earlier one of its name; a
 * resumed one goes on where its checkpoint was, so that no step shows twice and none is missing.
 */
export function createTensorboard({ folder, onFailure, now = () => new Date() }: TensorboardSettings): Reporter {
  const failOnce = once(onFailure);
  let files: { epochs: EventFile; steps: EventFile } | undefined;
  let lastEpoch = 0;
  let step = 0;
  let losses: number[] = [];
  let pointMs = 0;

  const open = (history: readonly EpochResult[]) => {
    const stepsFolder = join(folder, 'steps');
    const settings = { onFailure: failOnce, now };
    const kept = keptEpochs(folder, history, failOnce);
    files = {
      epochs: createEventFile({ folder, ...settings }),
      steps: createEventFile({ folder: stepsFolder, ...settings }),
    };
    // In a new folder as well: TensorBoard takes the first such mark of a run for its beginning, and heeds later ones only.
    files.epochs.restartAt(kept === 0 ? 0 : kept + 1);
    files.steps.restartAt(step === 0 ? 0 : step + 1);
    for (const result of history.slice(kept)) files.epochs.scalars(result.epoch, epochScalars(result));
    if (history.length > kept) files.epochs.flush();
    lastEpoch = history.at(-1)?.epoch ?? 0;
    pointMs = now().getTime();
  };
  const writeLosses = () => {
    if (losses.length === 0) return;
    files?.steps.scalars(step, { 'loss/step': losses.reduce((total, loss) => total + loss, 0) / losses.length });
    losses = [];
    pointMs = now().getTime();
  };

  return {
    handle: (event) => {
      switch (event.kind) {
        case 'resumed':
          step = event.step;
          open(event.history);
          break;
        case 'epoch-start':
          if (files === undefined) open([]);
          break;
        case 'step':
          step += 1;
          losses.push(event.loss);
          if (now().getTime() - pointMs >= stepPointMs) writeLosses();
          break;
        case 'epoch-end':
          writeLosses();
          lastEpoch = event.result.epoch;
          files?.epochs.scalars(lastEpoch, epochScalars(event.result));
          files?.epochs.flush();
          break;
        case 'tested':
          files?.epochs.scalars(lastEpoch, metricScalars('test', event.metrics));
          files?.epochs.flush();
          break;
      }
    },
    close: () => {
      writeLosses();
      files?.epochs.close();
      files?.steps.close();
    },
  };
}

/** How many of the epochs, from the first on without a gap, are in the folder's files already. */
function keptEpochs(folder: string, history: readonly EpochResult[], onFailure: (error: unknown) => void): number {
  try {
    const steps = stepsOf(folder, 'loss/train');
    const missing = history.findIndex(({ epoch }) => !steps.has(epoch));
    return missing === -1 ? history.length : missing;
  } catch (error) {
    onFailure(error);
    return 0;
  }
}

function epochScalars({ train, validation, learningRate, imagesPerSecond }: EpochResult): Record<string, number> {
  return {
    ...metricScalars('train', train),
    ...(validation && metricScalars('val', validation)),
    lr: learningRate,
    images_per_second: imagesPerSecond,
  };
}

function metricScalars(split: Split, { loss, precisionAt1, precisionAt5 }: Metrics): Record<string, number> {
  return { [`loss/${split}`]: loss, [`precision@1/${split}`]: precisionAt1, [`precision@5/${split}`]: precisionAt5 };
}
