// ONNX Runtime, where somebody has installed it: with 300 MB it is too large to be brought along.

import { createRequire } from 'node:module';
import { join } from 'node:path';

export interface OnnxSession {
  /** Probabilities, row-major [N, classes]. */
  run(pixels: Uint8Array | Float32Array, shape: readonly number[]): Promise<Float32Array>;
}

/** What is used of the package onnxruntime-node. */
interface OnnxRuntime {
  InferenceSession: {
    create(path: string): Promise<{
      run(feeds: Record<string, unknown>): Promise<Record<string, { data: Float32Array }>>;
    }>;
  };
  Tensor: new (type: 'uint8' | 'float32', data: Uint8Array | Float32Array, shape: readonly number[]) => unknown;
}

/** Opens a model; undefined where there is no ONNX Runtime beside this program or in the current folder. */
export async function openOnnx(path: string): Promise<OnnxSession | undefined> {
  const runtime = findRuntime();
  if (!runtime) return undefined;
  const session = await runtime.InferenceSession.create(path);
  return {
    async run(pixels, shape) {
      const type = pixels instanceof Uint8Array ? 'uint8' : 'float32';
      const { probabilities } = await session.run({ pixels: new runtime.Tensor(type, pixels, shape) });
      if (!probabilities) throw new Error('internal: an ONNX model without probabilities');
      return probabilities.data;
    },
  };
}

function findRuntime(): OnnxRuntime | undefined {
  for (const place of [import.meta.url, join(process.cwd(), 'package.json')]) {
    try {
      return createRequire(place)('onnxruntime-node') as OnnxRuntime;
    } catch {
      // Not there: perhaps in the other place.
    }
  }
  return undefined;
}
