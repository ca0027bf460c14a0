// What TensorFlow makes of a processor: which library computes there, and which types that knows well.

import { readableText } from '../readable-text.js';

export type HalfType = 'bfloat16' | 'float16';

const oneDnnVariable = 'TF_ENABLE_ONEDNN_OPTS';

/**
 * Has TensorFlow, which must not have been loaded yet, compute by oneDNN, unless the user has decided. By itself it does so
 * only on processors with AVX512_VNNI or later; on others its own kernels are slower and lack gradients: of grouped and of
 * dilated convolutions.
 */
export function turnOnOneDnn(): void {
  process.env[oneDnnVariable] ??= '1';
}

/** Whether the user has turned oneDNN off. */
export function isOneDnnOff(): boolean {
  return ['0', 'false'].includes(process.env[oneDnnVariable]?.trim().toLowerCase() ?? '');
}

/** The features that /proc/cpuinfo names, of Intel's and AMD's processors or ARM's. */
export function processorFlags(cpuInfo: string = readableText('/proc/cpuinfo')): ReadonlySet<string> {
  const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(cpuInfo)?.[1] ?? '';
  return new Set(line.split(' ').filter(Boolean));
}

/**
 * Types in which a processor convolves and multiplies many times slower than in float32, or can't differentiate grouped
 * convolutions. oneDNN knows bfloat16 from AVX-512 on; float16, which is for GPUs, is not worth a distinction.
 */
export function slowTypes(flags: ReadonlySet<string> = processorFlags()): ReadonlySet<HalfType> {
  const knowsBfloat16 = (flags.has('avx512f') || flags.has('avx_ne_convert')) && !isOneDnnOff();
  return new Set<HalfType>(knowsBfloat16 ? ['float16'] : ['float16', 'bfloat16']);
}
