// Which trained network a command uses: one table for all commands that use one.

import { trainOptions } from '../options.js';
import { isPlainFileName } from './run-name.js';
import { choice, flag, integer, optionalText, type ValuesOf } from './spec.js';

const network = 'Network';
const computing = 'Computing';

/** A run's network, a file's, or a model with its published ImageNet weights. */
export const networkOptions = {
  run: optionalText({
    group: network,
    type: 'name',
    help: 'The run whose network to use',
    expected: trainOptions.run_name.expected,
    isValid: isPlainFileName,
  }),
  best: flag({
    group: network,
    help: 'Of that run the network with the lowest validation loss, rather than the last one',
    default: false,
  }),
  weights: optionalText({
    group: network,
    type: 'file',
    help: 'In place of a run a file of weights, or hf:owner/repo[@revision][:file] on the Hugging Face hub',
  }),
  model: optionalText({
    group: network,
    type: 'name',
    help: 'The network in that file, where the file does not say so; alone, a model with its published ImageNet weights',
  }),
  classes: optionalText({
    group: network,
    type: 'file',
    help: "The names of the classes, one a line in the order of the network's outputs, where the file has none",
  }),
  root_dir: trainOptions.root_dir,
};

export type NetworkChoice = ValuesOf<typeof networkOptions>;

/** How commands compute that run a trained network on many images. */
export const computeOptions = {
  device: { ...trainOptions.device, group: computing },
  gpu_memory_limit: { ...trainOptions.gpu_memory_limit, group: computing },
  precision: choice({
    group: computing,
    help: 'Arithmetic of convolutions and activations; auto is as in the training of a run, fp32 for other networks',
    choices: ['auto', 'fp32', 'bf16', 'fp16'],
    default: 'auto',
  }),
  batch_size: integer({
    group: computing,
    help: 'Images that are computed at the same time',
    default: 64,
    expected: trainOptions.batch_size.expected,
    isInRange: (images) => images >= 1 && trainOptions.batch_size.parse(String(images)) !== undefined,
  }),
  workers: { ...trainOptions.workers, group: computing },
};

export type ComputeChoice = ValuesOf<typeof computeOptions>;
