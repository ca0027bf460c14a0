// What TensorFlow reads from the environment, once: what decides, beside weights and data, which bits it computes (the
// number of threads over which a sum is spread, and on a GPU the algorithms that are allowed), and how it takes a GPU's
// memory.

import { availableParallelism } from 'node:os';
import { readableText } from '../readable-text.js';
import { turnOnOneDnn } from './processor.js';

export interface RuntimeOptions {
  /** Allow only algorithms that compute the same bits each time; it makes a difference on GPUs only. */
  deterministic?: boolean;
  /** Threads within an op; as many as there are cores where none is given. TF_NUM_INTRAOP_THREADS outranks it. */
  threads?: number;
  /** Megabytes of each GPU's memory that may be taken; all of it where none are given. */
  gpuMemoryMegabytes?: number | undefined;
  /** Whether XLA compiles what runs on GPUs. */
  xla?: boolean;
}

/** Tells TensorFlow, which must not have been loaded yet. What the user has set stays. */
export function setEnvironment({ deterministic = false, threads }: RuntimeOptions): void {
  const { env } = process;
  // Else TensorFlow takes nearly all of a GPU at once, whatever it needs, and nobody else can use it.
  env['TF_FORCE_GPU_ALLOW_GROWTH'] ??= 'true';
  turnOnOneDnn();
  if (threads !== undefined && threadsFromUser() === undefined) env[threadsVariable] = String(threads);
  if (!deterministic) return;
  env['TF_DETERMINISTIC_OPS'] ??= '1';
  // The fastest algorithm is found by timing, which may end otherwise next time.
  env['TF_CUDNN_USE_AUTOTUNE'] ??= '0';
}

/** Whether TensorFlow refuses ops that have no deterministic kernel. */
export function isDeterministic(): boolean {
  return ['1', 'true'].includes(process.env['TF_DETERMINISTIC_OPS']?.toLowerCase() ?? '');
}

/** How many threads TensorFlow uses within an op. */
export function threadsInUse(): number {
  return threadsFromUser() ?? allowedCores();
}

const threadsVariable = 'TF_NUM_INTRAOP_THREADS';

function threadsFromUser(): number | undefined {
  const count = Number(process.env[threadsVariable]);
  return Number.isInteger(count) && count > 0 ? count : undefined;
}

/** As TensorFlow counts them: those on which this process may run, whatever share of them a container has. */
function allowedCores(): number {
  const status = readableText('/proc/self/status');
  const mask = /^Cpus_allowed:\s*([0-9a-f,]+)$/m.exec(status)?.[1] ?? '';
  const bits = [...mask.replaceAll(',', '')].map((digit) => Number.parseInt(digit, 16).toString(2).replaceAll('0', ''));
  return bits.join('').length || availableParallelism();
}
