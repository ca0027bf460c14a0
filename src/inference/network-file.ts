// The network in a file of weights, with what the file says of it.

import type { Preprocessing } from '../data/preprocessing.js';
import { UserError } from '../errors.js';
import { publishedPreprocessing } from '../models/facts.js';
import { modelNames, requireModel } from '../models/registry.js';
import { structureOf } from '../models/structure.js';
import { checkModelName } from '../options/model-name.js';
import { fitWeights } from '../weights/fit-weights.js';
import type { StateDict } from '../weights/state-dict.js';
import { readWeightsFile } from '../weights/weights-file.js';
import { imagenetClasses } from './imagenet-classes.js';
import type { TrainedNetwork } from './network.js';

export interface NetworkFile extends TrainedNetwork {
  /** The file. */
  path: string;
  /**
   * Where the names of the classes are from: the file, the caller, ImageNet for the 1,000 classes of a file that names
   * none, or nowhere, which leaves numbers.
   */
  classNames: 'file' | 'caller' | 'ImageNet' | 'none';
  /** What training has written into the file; nothing where it comes from elsewhere. */
  history: History;
}

export interface History {
  /** Counted from 1. */
  epoch?: number;
  /** Of that epoch. */
  metrics?: Partial<Record<'train' | 'validation', { loss: number; precisionAt1: number; precisionAt5: number }>>;
  options?: Readonly<Record<string, unknown>>;
  versions?: Readonly<Record<string, string>>;
}

/** What to know of a file that does not say it itself. */
export interface NetworkFileSettings {
  model?: string | undefined;
  /** In the order of the network's outputs. */
  classes?: readonly string[] | undefined;
}

/**
 * Reads the network in a file. `model` is needed where the file does not say which one it holds, which then gets images as
 * the model's published weights do.
 * @throws UserError where the file is no weights file, or not the model's, or has another number of classes.
 */
export async function readNetworkFile(
  path: string,
  { model, classes: given }: NetworkFileSettings = {},
): Promise<NetworkFile> {
  const { weights, metadata } = await readWeightsFile(path);
  const name = model ?? metadata['model'];
  if (name === undefined) {
    throw new UserError(`${path} does not say which network it holds`, { mend: 'Name it with --model' });
  }
  checkModelName(name, modelNames());
  const found = requireModel(name);
  const outputs = outputsOf(weights, found.head);
  const { classes, classNames } = nameClasses(metadata['classes'], given, outputs);
  const preprocessing = metadata['preprocessing']
    ? (JSON.parse(metadata['preprocessing']) as Preprocessing)
    : publishedPreprocessing(name);
  const { parameters } = structureOf(found, { classes: Math.max(classes.length, 1), crop: preprocessing.crop });
  const expected = parameters.all.map(({ name, spec: { shape } }) => ({ name, shape }));
  const fitted = fitWeights(expected, weights, { head: found.head, source: path });
  if (fitted.replacedHead) {
    throw new UserError(`The last layer in ${path} does not fit its classes`, {
      expected: `${classes.length} outputs`,
      found: String(outputs),
    });
  }
  return {
    model: name,
    classes,
    classNames,
    preprocessing,
    weights: fitted.weights,
    path,
    history: historyOf(metadata),
  };
}

/** How many classes the weights tell apart. Under other publishers' names the last layer is the last one, too. */
function outputsOf(weights: StateDict, head: string): number {
  const last = [...weights].findLast(([key]) => key.startsWith(`${head}.`))?.[1] ?? [...weights.values()].at(-1);
  return last?.shape[0] ?? 0;
}

function nameClasses(
  written: string | undefined,
  given: readonly string[] | undefined,
  outputs: number,
): Pick<NetworkFile, 'classes' | 'classNames'> {
  if (given) return { classes: given, classNames: 'caller' };
  if (written) return { classes: JSON.parse(written) as string[], classNames: 'file' };
  if (outputs === imagenetClasses.length) {
    return { classes: imagenetClasses.map(({ name }) => name), classNames: 'ImageNet' };
  }
  return { classes: Array.from({ length: outputs }, (_, index) => String(index)), classNames: 'none' };
}

function historyOf(metadata: Readonly<Record<string, string>>): History {
  const parsed = (key: string) => (metadata[key] === undefined ? undefined : JSON.parse(metadata[key]));
  const { epoch } = metadata;
  return {
    ...(epoch !== undefined && { epoch: Number(epoch) }),
    metrics: parsed('metrics'),
    options: parsed('options'),
    versions: parsed('versions'),
  };
}
