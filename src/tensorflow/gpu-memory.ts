// How much memory TensorFlow takes of each GPU. That is decided when it makes its first devices, which TensorFlow.js does
// without asking: a session of ours with a limit comes before that.

import { createRequire } from 'node:module';
import protobuf from 'protobufjs';
import { UserError } from '../errors.js';
import type { Installation } from './cache.js';

/** What set-up compiled of gpu_memory.cc. */
export interface GpuMemoryAddon {
  /** Bytes of each GPU that this process may use. */
  totals(): readonly number[];
  /** What TensorFlow says against a session with this ConfigProto; empty where nothing. */
  openSession(config: Uint8Array): string;
}

/**
 * Lets TensorFlow, which must not have made a device yet, take so many megabytes of each GPU, as it needs them; all where
 * there are not as many. CUDA's own memory comes on top. Throws a `UserError` where it can't be limited.
 */
export function limitGpuMemory({ gpuMemoryPath }: Pick<Installation, 'gpuMemoryPath'>, megabytes: number): void {
  if (gpuMemoryPath === undefined) throw notLimited('this TensorFlow lacks what it takes');
  limitWith(createRequire(import.meta.url)(gpuMemoryPath) as GpuMemoryAddon, megabytes);
}

/** The same with any addon. */
export function limitWith(addon: GpuMemoryAddon, megabytes: number): void {
  const bytes = megabytes * 2 ** 20;
  const largest = Math.max(0, ...addon.totals());
  if (bytes >= largest) return;
  // TensorFlow takes the same share of each.
  const trouble = addon.openSession(sessionConfig(bytes / largest));
  if (trouble !== '') throw notLimited(trouble);
}

function notLimited(found: string): UserError {
  return new UserError("The memory of the GPU can't be limited", { found, mend: 'Leave --gpu_memory_limit out' });
}

/**
 * A ConfigProto (tensorflow/core/protobuf/config.proto) with a share of each GPU's memory, above 0 and below 1, that is
 * taken as it is needed.
 */
export function sessionConfig(share: number): Uint8Array {
  const tag = (field: number, wireType: number) => (field << 3) | wireType;
  const perProcessGpuMemoryFraction = tag(1, 1);
  const allowGrowth = tag(4, 0);
  const gpuOptions = tag(6, 2);
  const writer = protobuf.Writer.create().uint32(gpuOptions).fork();
  return writer.uint32(perProcessGpuMemoryFraction).double(share).uint32(allowGrowth).bool(true).ldelim().finish();
}
