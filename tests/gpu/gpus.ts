// What tests on GPUs share.

import { test } from 'node:test';
import { hasNvidiaGpu, listGpus } from '#src/tensorflow/gpu.js';

const gpus = hasNvidiaGpu() ? listGpus().length : 0;

/** A test that takes a GPU, or several. */
export function testOnGpu(name: string, work: () => void | Promise<void>, wanted = 1): void {
  const skip = gpus >= wanted ? false : `there ${gpus === 1 ? 'is' : 'are'} ${gpus} of ${wanted} NVIDIA GPUs`;
  test(name, { skip }, work);
}

/**
 * Float32 in full: convolutions and products otherwise take tensor cores' TF32, as they do in PyTorch. Call it before
 * TensorFlow is loaded.
 */
export function computeInFull(): void {
  process.env['NVIDIA_TF32_OVERRIDE'] = '0';
}
