// The network in a file of weights, with what the file says of it.

import type { Preprocessing } from '../data/preprocessing.js';
import { UserError } from '../errors.js';
import { publishedPreprocessing } from '../models/facts.js';
import { modelNames, requireModel } from '../models/registry.js';
import { structureOf } from '../models/structure.js';
import { checkModelName } from '../options/model-name.js';
import { fitWeights } from '../weights/state-dict.js';
import { readWeightsFile } from '../weights/weights-file.js';
import type { ExportedNetwork } from './network.js';

export interface OpenedNetwork extends ExportedNetwork {
  /** The file. */
  source: string;
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

/**
 * Reads the network in a file. `model` is needed where the file does not say which one it holds; classes without names
 * are numbered, and the preprocessing is then that of the model's published weights.
 * @throws UserError where the file is no weights file, or not the model's.
 */
export async function openNetwork(source: string, model?: string): Promise<OpenedNetwork> {
  const { weights, metadata } = await readWeightsFile(source);
  const name = model ?? metadata['model'];
  if (name === undefined) {
    throw new UserError(`${source} does not say which network it holds`, { mend: 'Name it with --model' });
  }
  checkModelName(name, modelNames());
  const found = requireModel(name);
  // Under other publishers' names the last layer is the last one, too.
  const head = [...weights].findLast(([key]) => key.startsWith(`${found.head}.`))?.[1] ?? [...weights.values()].at(-1);
  const classes =
    (metadata['classes'] && (JSON.parse(metadata['classes']) as string[])) || numbered(head?.shape[0] ?? 0);
  const preprocessing = metadata['preprocessing']
    ? (JSON.parse(metadata['preprocessing']) as Preprocessing)
    : publishedPreprocessing(name);
  const { parameters } = structureOf(found, { classes: Math.max(classes.length, 1), crop: preprocessing.crop });
  const expected = parameters.all.map(({ name, spec: { shape } }) => ({ name, shape }));
  const fitted = fitWeights(expected, weights, { head: found.head, source });
  if (fitted.replacedHead) {
    throw new UserError(`The last layer in ${source} does not fit its ${classes.length} classes`);
  }
  return { model: name, classes, preprocessing, weights: fitted.weights, source, history: historyOf(metadata) };
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => String(index));

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
