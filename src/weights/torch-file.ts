// Weights in PyTorch's own files, which are pickles. Nothing in them is run: see pickle.ts.

import { UserError } from '../errors.js';
import type { FileBytes } from './file-bytes.js';
import { refusedContent, shown } from './file-errors.js';
import { isBatchCounter, type StateDict } from './state-dict.js';
import { readViews } from './tensor-views.js';
import { openTorchLegacy } from './torch-legacy.js';
import { TensorView } from './torch-objects.js';
import { openTorchZip } from './torch-zip.js';

/**
 * Reads the weights that torch.save wrote: a state_dict, or a checkpoint that holds one. Wrappers' prefixes (`module.`)
 * are taken off and counts of batches left out. Throws a `UserError` where the file is broken, or holds anything but
 * tensors and plain containers.
 */
export async function readTorchFile(file: FileBytes, format: 'zip' | 'legacy'): Promise<StateDict> {
  const { value, locate } = await (format === 'zip' ? openTorchZip(file) : openTorchLegacy(file));
  const views = withoutWrappers(findStateDict(file.path, value));
  return readViews(file, new Map([...views].filter(([name]) => !isBatchCounter(name))), locate);
}

/** Under which names checkpoints keep weights; moving averages only where there is nothing else. */
const weightKeys = [
  'state_dict',
  'model_state_dict',
  'model_state',
  'model',
  'net',
  'network',
  'weights',
  'state_dict_ema',
  'model_ema',
  'ema',
];

const maxDepth = 4;

function findStateDict(path: string, value: unknown, depth = 0): ReadonlyMap<string, TensorView> {
  if (value instanceof TensorView) throw refusedContent(path, 'a single tensor without a name');
  if (!(value instanceof Map)) throw refusedContent(path, 'an object that is no dict of tensors');
  const tensors = new Map<string, TensorView>();
  const others: string[] = [];
  for (const [name, item] of value) {
    if (item instanceof TensorView) tensors.set(name, item);
    else others.push(name);
  }
  if (tensors.size > 0 && others.length === 0) return tensors;
  const key = weightKeys.find((candidate) => value.get(candidate) instanceof Map);
  if (key !== undefined && depth < maxDepth) return findStateDict(path, value.get(key), depth + 1);
  throw new UserError(`${path} has no weights where they are sought`, {
    expected: `a dict of tensors, or one of ${weightKeys.join(', ')}`,
    found: others.length > 0 ? `${others.slice(0, 5).map(shown).join(', ')}` : 'an empty dict',
  });
}

/** What DataParallel and torch.compile put before every name. */
const wrappers = ['module.', '_orig_mod.'];
/** PyTorch's AveragedModel counts its updates beside the weights. */
const averageCounter = 'n_averaged';

function withoutWrappers(views: ReadonlyMap<string, TensorView>): ReadonlyMap<string, TensorView> {
  const names = [...views.keys()].filter((name) => name !== averageCounter);
  const prefix = wrappers.find((wrapper) => names.length > 0 && names.every((name) => name.startsWith(wrapper)));
  if (prefix === undefined) return views;
  return withoutWrappers(
    new Map([...views].flatMap(([name, view]) => (name === averageCounter ? [] : [[name.slice(prefix.length), view]]))),
  );
}
