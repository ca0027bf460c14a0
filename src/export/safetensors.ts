// A trained network's weights under torchvision's names and shapes, in 32 or 16 bits.

import { writeAll, writeAtomically } from '../atomic-file.js';
import type { TrainedNetwork } from '../inference/network.js';
import { encodeHeader } from '../weights/safetensors-header.js';
import { largestHalf, toHalf } from './half.js';
import { describeInTexts } from './network.js';

/** Writes the file whole. In float16, tensors with numbers that it can't hold stay as they are. */
export async function writeWeights(
  path: string,
  network: TrainedNetwork,
  { quantize }: { quantize: 'none' | 'float16' },
): Promise<void> {
  const tensors = Array.from(network.weights, ([name, { shape, data }]) => {
    const isHalf = quantize === 'float16' && data.every((value) => Math.abs(value) <= largestHalf);
    return { name, type: isHalf ? ('F16' as const) : ('F32' as const), shape, data };
  });
  const { input: _, ...about } = describeInTexts(network, 'floats');
  await writeAtomically(path, async (file) => {
    await writeAll(file, encodeHeader(tensors, { format: 'pt', ...about }));
    for (const { type, data } of tensors) {
      const { buffer, byteOffset, byteLength } = type === 'F16' ? toHalf(data) : data;
      await writeAll(file, new Uint8Array(buffer, byteOffset, byteLength));
    }
  });
}
