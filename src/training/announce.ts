// What a run tells of its data and its networks.

import type { Dataset } from '../data/dataset.js';
import { elementCount } from '../graph/types.js';
import type { TrainConfig } from '../options.js';
import type { EpochResult, Report } from '../reporting/events.js';
import { bestModelFile, modelFile } from '../reporting/run-files.js';
import { isOneDnnOff } from '../tensorflow/processor.js';
import type { Runtime } from '../tensorflow/runtime.js';
import { bestEpoch } from './best.js';
import { floatTypeOf, type Precision } from './precision-choice.js';
import type { Steps } from './steps.js';

/** How many images there are, and what is odd about them. */
export function reportData({ classes, train, validation, test, warnings }: Dataset, report: Report): void {
  const splits = [
    ['train', train],
    ['val', validation],
    ['test', test],
  ] as const;
  for (const [split, images] of splits) {
    if (images && images.length > 0) report({ kind: 'data', split, images: images.length, classes: classes.length });
  }
  for (const message of warnings) report({ kind: 'warning', message });
}

/** How large the network is, and how much of it is trained at first. */
export function reportModel(steps: Steps, name: string, report: Report): void {
  const parameters = countValues(steps.parameters.filter((parameter) => parameter.trainable));
  report({ kind: 'model', name, parameters, trained: countValues(steps.trained) });
}

/** Says how many images a step is by, and where it is computed, unless that is simply `--batch_size` on one device. */
export function reportSteps(
  { batch_size: batchSize, accumulate, gpus }: Pick<TrainConfig, 'batch_size' | 'accumulate' | 'gpus'>,
  parts: number,
  report: Report,
): void {
  const atOnce = Math.ceil(batchSize / (parts * gpus));
  if (accumulate > 1 || atOnce < batchSize) {
    const batches = `${accumulate === 1 ? 'one batch' : `${accumulate} batches`} of ${batchSize} images`;
    const ways = [...(parts > 1 ? [`in ${parts} parts`] : []), ...(gpus > 1 ? [`on ${gpus} GPUs`] : [])];
    const computed = ways.length > 0 ? `, computed ${ways.join(' ')}` : '';
    const message = `Effective batch size ${accumulate * batchSize}: each step is by ${batches}${computed}; batch norm sees ${atOnce} at a time`;
    report({ kind: 'note', message });
  }
  if (gpus > 1) report({ kind: 'note', message: `Only training is shared by ${gpus} GPUs: evaluation runs on one` });
}

/** Says what a processor lacks for the arithmetic that was chosen. */
export function reportArithmetic(
  { device, slowTypes }: Pick<Runtime, 'device' | 'slowTypes'>,
  precision: Precision,
  report: Report,
): void {
  if (device === 'cpu' && isOneDnnOff()) {
    const message =
      'oneDNN is turned off (TF_ENABLE_ONEDNN_OPTS): steps are slower, and networks with grouped or dilated convolutions do not train';
    report({ kind: 'warning', message });
  }
  const type = floatTypeOf(precision);
  if (type !== 'float32' && slowTypes.has(type)) {
    const message = `${precision} takes less memory here than fp32, but no less time: this processor convolves in float32`;
    report({ kind: 'note', message });
  }
}

/** Says what XLA costs, or that it does nothing here. */
export function reportXla(device: 'cpu' | 'cuda', report: Report): void {
  if (device === 'cpu') {
    report({
      kind: 'warning',
      message: '--xla does nothing here: it compiles for GPUs, and this run is on the processor',
    });
  } else {
    const message = 'XLA compiles the steps: the first of each kind and size of batch takes half a minute or more';
    report({ kind: 'note', message });
  }
}

/** Says which file holds which network. */
export function reportModels(history: readonly EpochResult[], config: TrainConfig, report: Report): void {
  const best = bestEpoch(history);
  const isLastBest = best !== undefined && best.epoch === history.length;
  report({ kind: 'saved', what: 'model', path: modelFile(config) });
  if (best === undefined) return;
  const what = `best model, of epoch ${best.epoch}${isLastBest ? ' as well,' : ` (the one above is of epoch ${history.length}),`}`;
  report({ kind: 'saved', what, path: bestModelFile(config) });
}

/** Warns where a run goes on with our own kernels that was begun without them, or the other way. */
export function reportKernels(before: boolean | undefined, now: boolean, report: Report): void {
  if (before === undefined || before === now) return;
  const change = now ? 'with its own kernels, which it did not have' : 'without its own kernels, which it had';
  report({ kind: 'warning', message: `This run goes on ${change} before: the last bits will differ` });
}

/** Bytes of a checkpoint's tensors. */
export function stateBytes(steps: Steps): number {
  return 4 * countValues([...steps.parameters, ...steps.slotSpecs(steps.counters)]);
}

/** How many numbers these tensors hold. */
export function countValues(parameters: readonly { shape: readonly number[] }[]): number {
  return parameters.reduce((total, { shape }) => total + elementCount(shape), 0);
}
