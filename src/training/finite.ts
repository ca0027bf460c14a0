import { UserError } from '../errors.js';
import type { StateDict } from '../weights/state-dict.js';

/**
 * The same tensors, if all of their numbers are finite. A loss shows only one step later that gradients were not, and
 * until then a save would replace a network that is worth keeping. Throws a `UserError` that names the first that isn't;
 * `what` they are is a noun in the plural.
 */
export function finite(tensors: StateDict, what: string): StateDict {
  for (const [name, { data }] of tensors) {
    let sum = 0;
    // Ten times as fast as an iterator, which would take half a second for a large network.
    for (let i = 0; i < data.length; i++) sum += (data[i] ?? 0) * 0;
    if (sum === 0) continue;
    throw new UserError(`Training broke down: the ${what} of ${name} are not finite any more`, {
      mend: 'Nothing was saved since. Lower --lr, or leave such steps out with --nan=skip, and go on with --resume',
    });
  }
  return tensors;
}
