// How TensorFlow says that there is no memory: RESOURCE_EXHAUSTED from its allocators, bad_alloc from C++.

import { messageOf, UserError } from '../errors.js';

/** Whether TensorFlow, or C++ below it, has found too little memory. */
export function isOutOfMemory(error: unknown): boolean {
  return /\bOOM when allocating|RESOURCE_EXHAUSTED|Resource exhausted|failed to allocate memory|std::bad_alloc/i.test(
    messageOf(error),
  );
}

/**
 * The same error, or what a user can do where it is want of memory. `checkpoint`: where what ends can be gone on with from,
 * if anywhere; a run that goes on keeps its batch size.
 */
export function explainMemory(
  error: unknown,
  { batchSize, checkpoint }: { batchSize: number; checkpoint?: string | undefined },
): unknown {
  if (!isOutOfMemory(error)) return error;
  return new UserError(
    `There is no memory for a step of ${batchSize} images`,
    {
      found: messageOf(error).split('\n')[0] ?? '',
      mend:
        checkpoint === undefined
          ? 'Choose a smaller --batch_size and a larger --accumulate, or let --auto_batch do so'
          : `Go on from ${checkpoint} with --resume and --auto_batch`,
    },
    { cause: error },
  );
}
