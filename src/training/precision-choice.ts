// In which arithmetic a run computes where nobody says so: in bfloat16 where that is faster than float32.

import { readFileSync } from 'node:fs';
import type { FloatType } from '../graph/types.js';
import { hasNvidiaGpu, listGpus } from '../tensorflow/gpu.js';

export type Precision = 'fp32' | 'bf16';

/** Where to look; tests put their own in. */
export interface Hardware {
  hasGpu: () => boolean;
  /** Each GPU's name, memory and compute capability, in one line. */
  gpus: () => readonly string[];
  /** The text of /proc/cpuinfo, empty where there is none. */
  cpuInfo: () => string;
}

const thisMachine: Hardware = { hasGpu: hasNvidiaGpu, gpus: listGpus, cpuInfo: readCpuInfo };

/** `auto` made concrete for this machine, always the same one; anything else as it is. */
export function choosePrecision(
  wanted: Precision | 'auto',
  device: 'auto' | 'cpu' | 'cuda',
  hardware: Hardware = thisMachine,
): Precision {
  if (wanted !== 'auto') return wanted;
  const isOnGpu = device === 'cuda' || (device === 'auto' && hardware.hasGpu());
  return (isOnGpu ? gpusAreFast(hardware.gpus()) : processorIsFast(hardware.cpuInfo())) ? 'bf16' : 'fp32';
}

/** The type of activations and convolutions. */
export function floatTypeOf(precision: Precision): FloatType {
  return precision === 'bf16' ? 'bfloat16' : 'float32';
}

/** NVIDIA's tensor cores know bfloat16 since Ampere, compute capability 8.0. */
function gpusAreFast(gpus: readonly string[]): boolean {
  return gpus.length > 0 && gpus.every((gpu) => Number(/(\d+\.\d+)\s*$/.exec(gpu)?.[1] ?? 0) >= 8);
}

/**
 * AMX is fast wherever it is. Of AVX512_BF16 alone, AMD's is, and Intel's of Cooper Lake (family 6, model 85); later
 * Intel processors whose AMX is hidden, as in many virtual machines, multiply bfloat16 at half the speed of float32.
 */
function processorIsFast(cpuInfo: string): boolean {
  const field = (name: string) => new RegExp(`^${name}\\s*:\\s*(.*)$`, 'm').exec(cpuInfo)?.[1]?.trim();
  const flags = new Set(field('flags')?.split(' '));
  if (flags.has('amx_bf16')) return true;
  if (!flags.has('avx512_bf16')) return false;
  return field('vendor_id') === 'AuthenticAMD' || (field('cpu family') === '6' && field('model') === '85');
}

function readCpuInfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return '';
  }
}
