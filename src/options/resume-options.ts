// What becomes of the options when a run is resumed: what is not given stays as the checkpoint has it, and what would
// change the model, the data or the arithmetic of the steps that are done may not be given anew.
import { resolve } from 'node:path';
import { UserError } from '../errors.js';
import { type TrainConfig, trainOptions } from '../options.js';
import { isHubAddress } from '../weights/hub-address.js';
import { quoted } from './given.js';
import { assignmentText } from './option-text.js';
import { findDataDir, findRootDir } from './paths.js';
import type { OptionSpec } from './spec.js';

/**
 * How a resumed run may change an option. `fixed`: not at all. `free`: as it likes, and without being told it stays as
 * it was. `own`: it belongs to the process and not to the run, and is never taken from a checkpoint.
 */
export type OnResume = 'fixed' | 'free' | 'own';

/** The decision for every option. The folder of the data may have moved; that it holds the same is checked elsewhere. */
export const onResume: { readonly [Name in keyof TrainConfig]: OnResume } = {
  epochs: 'free',
  batch_size: 'fixed',
  accumulate: 'fixed',
  auto_batch: 'free',
  lr: 'free',
  schedule: 'free',
  warmup: 'free',
  optimizer: 'fixed',
  weight_decay: 'fixed',
  momentum: 'fixed',
  precision: 'fixed',
  label_smoothing: 'fixed',
  class_weights: 'fixed',
  augment: 'fixed',
  mixup: 'fixed',
  cutmix: 'fixed',
  seed: 'fixed',

  model: 'fixed',
  pretrained: 'fixed',
  weights: 'fixed',
  freeze: 'fixed',
  unfreeze_epoch: 'fixed',
  lr_backbone: 'free',
  pre: 'fixed',

  data_dir: 'free',
  val_split: 'fixed',
  test: 'free',
  exif: 'fixed',
  bad_images: 'free',
  workers: 'free',
  cache: 'free',

  run_name: 'own',
  root_dir: 'own',
  device: 'free',
  gpu_memory_limit: 'own',
  gpus: 'free',
  xla: 'free',
  resume: 'own',
  checkpoint_minutes: 'free',
  keep_checkpoints: 'free',
  time_limit: 'own',
  early_stopping: 'free',
  nan: 'free',
  deterministic: 'free',
  wandb: 'free',
  config: 'own',
};

/** An option that the resumed run was given, and that differs from the checkpoint's. */
export interface ChangedOption {
  readonly name: string;
  readonly from: unknown;
  readonly to: unknown;
}

/**
 * The options of a resumed run, before `completeConfig`: `values` where they were `given`, else those that the
 * checkpoint has `saved`. Paths that were given are compared as absolute ones, and are so in `config`. What an older
 * program has not saved is as by default; names that this one doesn't know are left out.
 * @throws UserError naming every option that may not change and does, or one whose saved value this program can't read.
 */
export function mergeForResume(
  values: TrainConfig,
  given: ReadonlySet<string>,
  saved: Readonly<Record<string, unknown>>,
): { config: TrainConfig; changed: readonly ChangedOption[] } {
  const merged: Record<string, unknown> = {};
  const changed: ChangedOption[] = [];
  const refused: ChangedOption[] = [];
  for (const [name, spec] of Object.entries(trainOptions)) {
    const policy = onResume[name as keyof TrainConfig];
    const value = values[name as keyof TrainConfig];
    if (policy === 'own') {
      merged[name] = value;
      continue;
    }
    const isGiven = given.has(name);
    // A free option that is given makes up for what can't be read.
    const from = savedValue(name, spec, saved, isGiven && policy === 'free');
    const to = isGiven ? absolute(name, values) : from;
    if (to !== from) (policy === 'fixed' ? refused : changed).push({ name, from, to });
    merged[name] = to;
  }
  if (refused.length > 0) throw refusal(refused);
  // The loop above has walked the very table that the type is derived from.
  return { config: Object.freeze(merged) as TrainConfig, changed };
}

/**
 * The options of a run that repeats another, before `completeConfig`: those that the other has `saved` but for the ones
 * that are `given`, and for those that belong to a process alone.
 * @throws UserError for a saved value that this program can't read.
 */
export function mergeForRepeat(
  values: TrainConfig,
  given: ReadonlySet<string>,
  saved: Readonly<Record<string, unknown>>,
): TrainConfig {
  const entries = Object.entries(trainOptions).map(([name, spec]) => {
    if (given.has(name)) return [name, absolute(name, values)];
    const isOwn = onResume[name as keyof TrainConfig] === 'own';
    return [name, isOwn ? values[name as keyof TrainConfig] : savedValue(name, spec, saved, false)];
  });
  // The table has been walked whole, from which the type is derived.
  return Object.freeze(Object.fromEntries(entries)) as TrainConfig;
}

function savedValue(
  name: string,
  spec: OptionSpec<unknown>,
  saved: Readonly<Record<string, unknown>>,
  isReplaced: boolean,
): unknown {
  const value = Object.hasOwn(saved, name) ? (saved[name] ?? undefined) : undefined;
  if (value === undefined) return spec.default();
  const isScalar = ['string', 'number', 'boolean'].includes(typeof value);
  if ((isScalar && spec.parse(String(value)) === value) || isReplaced) return value;
  throw new UserError(`The saved option ${name} can't be used`, {
    expected: spec.expected,
    found: quoted(isScalar ? String(value) : JSON.stringify(value)),
    mend: 'Use the version of deep-cnn that saved it',
  });
}

/** A given value in the form in which checkpoints have it. */
function absolute(name: string, values: TrainConfig): unknown {
  if (name === 'data_dir') return findDataDir(values.data_dir, findRootDir(values.root_dir));
  if (name === 'weights' && values.weights !== undefined && !isHubAddress(values.weights)) {
    return resolve(values.weights);
  }
  return values[name as keyof TrainConfig];
}

function refusal(refused: readonly ChangedOption[]): UserError {
  const list = (key: 'from' | 'to') =>
    refused.map((option) => `--${assignmentText(option.name, option[key])}`).join(' ');
  return new UserError('A resumed run cannot change these options', {
    expected: `${list('from')}, as in the checkpoint`,
    found: list('to'),
    mend: `Leave ${refused.length === 1 ? 'it' : 'them'} out, or start a new run with another --run_name and the checkpoint as its --weights`,
  });
}
