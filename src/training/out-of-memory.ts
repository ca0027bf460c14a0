// How TensorFlow says that there is no memory: RESOURCE_EXHAUSTED from its allocators, bad_alloc from C++.

import { messageOf, UserError } from '../errors.js';

export function isOutOfMemory(error: unknown): boolean {
  return /\bOOM when allocating|RESOURCE_EXHAUSTED|Resource exhausted|failed to allocate memory|std::bad_alloc/i.test(
    messageOf(error),
  );
}

/** For a run that ends with it. */
export function outOfMemory(batchSize: number, error: unknown): UserError {
  return new UserError(
    `There is no memory for a step of ${batchSize} images`,
    {
      found: messageOf(error).split('\n')[0] ?? '',
      mend: 'Choose a smaller --batch_size and a larger --accumulate, or let --auto_batch do so. The last checkpoint is from before it: add --resume',
    },
    { cause: error },
  );
}
