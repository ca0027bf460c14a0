// Garbage collection at a chosen moment. V8 lets garbage lie as long as its own heap is small, and knows nothing of the
// tensors beside it, for which memory is scarce.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Frees all that is unreachable, which takes some tens of milliseconds: for after work that leaves much behind. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  // The first time finds the garbage, the second gives its pages back.
  collect();
  collect();
}
