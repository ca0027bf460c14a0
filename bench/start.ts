// Starts one measurement, ours or PyTorch's, in a process of its own.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Work } from './measure.js';

/** What was measured, by name. */
export type Figures = Record<string, number | string>;

export async function measure(work: Work): Promise<Figures> {
  const script = fileURLToPath(new URL('./measure.js', import.meta.url));
  return lastLine(await promisify(execFile)(process.execPath, [script, JSON.stringify(work)]));
}

export interface PytorchWork {
  model: string;
  batchSize: number;
  steps: number;
  /** Of nchw, channels_last, bf16 and compile, joined by `+`. */
  mode: string;
}

/** The same in PyTorch, with `python`, which must have it. */
export async function startPytorch(
  python: string,
  { model, batchSize, steps, mode }: PytorchWork,
  more: readonly string[],
): Promise<Figures> {
  const script = fileURLToPath(new URL('../../bench/pytorch.py', import.meta.url));
  const options = [`--model=${model}`, `--batch_size=${batchSize}`, `--steps=${steps}`, `--mode=${mode}`];
  return lastLine(await promisify(execFile)(python, [script, ...options, ...more]));
}

function lastLine({ stdout }: { stdout: string }): Figures {
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Figures;
}
