// XLA, TensorFlow's compiler: on a GPU it makes one kernel of what would be many.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from './cache.js';

/**
 * Lets XLA compile what TensorFlow, which must not have been loaded yet, runs on GPUs: anew for each graph and each size
 * of a batch. Flags that the user has set stay.
 */
export function compileWithXla({ root }: Pick<Installation, 'root'>): void {
  addFlag('TF_XLA_FLAGS', '--tf_xla_auto_jit', '2');
  // CUDA's assembler and its library for devices, which came with TensorFlow; else XLA looks where CUDA usually lies.
  const toolkit = join(root, 'nvidia', 'cuda_nvcc');
  if (existsSync(toolkit)) addFlag('XLA_FLAGS', '--xla_gpu_cuda_data_dir', toolkit);
}

function addFlag(variable: string, flag: string, value: string): void {
  const flags = process.env[variable] ?? '';
  if (flags.includes(`${flag}=`)) return;
  process.env[variable] = `${flags} ${flag}=${value}`.trim();
}
