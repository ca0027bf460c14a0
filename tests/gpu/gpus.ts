// What tests on a GPU share: whether there is one, and two made of one.

import { createRequire } from 'node:module';
import { test } from 'node:test';
import protobuf from 'protobufjs';
import { defined } from '#src/defined.js';
import { findInstallation } from '#src/tensorflow/cache.js';
import { hasNvidiaGpu } from '#src/tensorflow/gpu.js';
import type { GpuMemoryAddon } from '#src/tensorflow/gpu-memory.js';

const skip = hasNvidiaGpu() ? false : 'there is no NVIDIA GPU';

/** A test that takes a GPU. */
export function testOnGpu(name: string, work: () => void | Promise<void>): void {
  test(name, { skip }, work);
}

/**
 * Float32 in full: convolutions and products otherwise take tensor cores' TF32, as they do in PyTorch. Call it before
 * TensorFlow is loaded.
 */
export function computeInFull(): void {
  process.env['NVIDIA_TF32_OVERRIDE'] = '0';
}

/** Lets TensorFlow, which must not have been loaded yet, take the first GPU for two with so many megabytes each. */
export function halveGpu(megabytes: number): void {
  const { gpuMemoryPath } = defined(findInstallation('cuda'));
  const addon = createRequire(import.meta.url)(defined(gpuMemoryPath)) as GpuMemoryAddon;
  const trouble = addon.openSession(twoVirtualDevices(megabytes));
  if (trouble !== '') throw new Error(trouble);
}

/** ConfigProto.gpu_options.experimental.virtual_devices.memory_limit_mb (tensorflow/core/protobuf/config.proto). */
function twoVirtualDevices(megabytes: number): Uint8Array {
  const message = (field: number) => (field << 3) | 2;
  const [gpuOptions, experimental, virtualDevices, memoryLimitMb] = [6, 9, 1, 1].map(message);
  const writer = protobuf.Writer.create().uint32(defined(gpuOptions)).fork();
  writer.uint32(defined(experimental)).fork().uint32(defined(virtualDevices)).fork();
  writer.uint32(defined(memoryLimitMb)).fork().float(megabytes).float(megabytes).ldelim();
  return writer.ldelim().ldelim().ldelim().finish();
}
