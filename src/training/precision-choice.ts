// In which arithmetic a run computes where nobody says so: in 16 bits where that is faster than float32.

import type { FloatType } from '../graph/types.js';
import { readableText } from '../readable-text.js';
import { hasNvidiaGpu, listGpus } from '../tensorflow/gpu.js';
import { isOneDnnOff, processorFlags } from '../tensorflow/processor.js';

const precisions = ['fp32', 'bf16', 'fp16'] as const;
export type Precision = (typeof precisions)[number];

/** Where to look; tests put their own in. */
export interface Hardware {
  hasGpu: () => boolean;
  /** Each GPU's name, memory and compute capability, in one line. */
  gpus: () => readonly string[];
  /** The text of /proc/cpuinfo, empty where there is none. */
  cpuInfo: () => string;
}

const thisMachine: Hardware = { hasGpu: hasNvidiaGpu, gpus: listGpus, cpuInfo: () => readableText('/proc/cpuinfo') };

/** `auto` made concrete for this machine, always the same one; anything else as it is. */
export function choosePrecision(
  wanted: Precision | 'auto',
  device: 'auto' | 'cpu' | 'cuda',
  hardware: Hardware = thisMachine,
): Precision {
  if (wanted !== 'auto') return wanted;
  const isOnGpu = device === 'cuda' || (device === 'auto' && hardware.hasGpu());
  if (isOnGpu) return fastestOnGpus(hardware.gpus());
  return processorIsFast(hardware.cpuInfo()) && !isOneDnnOff() ? 'bf16' : 'fp32';
}

/** What a run is to ask for that goes on with one of these options: `auto` is then what that had. */
export function precisionToGoOn(
  wanted: Precision | 'auto',
  before: Readonly<Record<string, unknown>> | undefined,
): Precision | 'auto' {
  const had = precisions.find((precision) => precision === before?.['precision']);
  return wanted === 'auto' && had ? had : wanted;
}

/** The type of activations and convolutions. */
export function floatTypeOf(precision: Precision): FloatType {
  return ({ fp32: 'float32', bf16: 'bfloat16', fp16: 'float16' } as const)[precision];
}

/** NVIDIA's tensor cores know float16 since Volta, compute capability 7.0, and bfloat16 since Ampere, 8.0. */
function fastestOnGpus(gpus: readonly string[]): Precision {
  const capabilities = gpus.map((gpu) => Number(/(\d+\.\d+)\s*$/.exec(gpu)?.[1] ?? 0));
  const least = Math.min(...capabilities);
  if (capabilities.length === 0 || least < 7) return 'fp32';
  return least < 8 ? 'fp16' : 'bf16';
}

/**
 * AMX is fast wherever it is. Of AVX512_BF16 alone, AMD's is, and Intel's of Cooper Lake (family 6, model 85); later
 * Intel processors whose AMX is hidden, as in many virtual machines, multiply bfloat16 at half the speed of float32.
 */
function processorIsFast(cpuInfo: string): boolean {
  const field = (name: string) => new RegExp(`^${name}\\s*:\\s*(.*)$`, 'm').exec(cpuInfo)?.[1]?.trim();
  const flags = processorFlags(cpuInfo);
  if (flags.has('amx_bf16')) return true;
  if (!flags.has('avx512_bf16')) return false;
  return field('vendor_id') === 'AuthenticAMD' || (field('cpu family') === '6' && field('model') === '85');
}
