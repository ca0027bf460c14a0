// Our own kernels: ops beyond TensorFlow's, which set-up compiled for processors. Graphs that were told of them train
// faster and in less memory; all others run without.

import { createRequire } from 'node:module';
import type { Installation } from './cache.js';

/**
 * The environment variable that does without them when it is `off`, without AVX-512 when `avx2`, and without the bfloat16 of
 * AVX-512 and AMX when `avx512`: for comparisons.
 */
const switchVariable = 'DEEP_CNN_KERNELS';

/** Registers the kernels with the TensorFlow that is loaded, and returns the names of their ops; none on a GPU. */
export function registerKernels({ kernelsPath }: Installation, device: 'cpu' | 'cuda'): ReadonlySet<string> {
  if (device !== 'cpu' || kernelsPath === undefined || process.env[switchVariable] === 'off') return new Set();
  const { ops } = createRequire(import.meta.url)(kernelsPath) as { ops: readonly string[] };
  return new Set(ops);
}
