// The exported network's files, fetched by the page itself: TensorFlow.js tells of whole files only, takes a server's
// words that there is no such file for weights, and says of missing ones that shapes do not fit.

import type { GraphModel } from '@tensorflow/tfjs-converter';
import type { io } from '@tensorflow/tfjs-core';
import type { TensorFlow } from './backend.js';

type ModelJson = Parameters<TensorFlow['io']['getModelArtifactsForJSONSync']>[0];

/** Bytes of the weights: those that have arrived, and all. */
export type TellProgress = (arrived: number, all: number) => void;

/** Loads model.json and the weights beside it. Rejects with a sentence for the user where a file is missing or cut short. */
export async function loadModel(tf: TensorFlow, url: string, tell: TellProgress): Promise<GraphModel> {
  const json = await readJson(url);
  const specs = json.weightsManifest.flatMap(({ weights }) => weights);
  const urls = json.weightsManifest.flatMap(({ paths }) => paths.map((path) => new URL(path, url).href));
  const all = specs.reduce((sum, spec) => sum + bytesOf(spec), 0);
  let arrived = 0;
  const parts = await Promise.all(
    urls.map((part) =>
      fetchBytes(part, (count) => {
        arrived += count;
        tell(arrived, all);
      }),
    ),
  );
  if (arrived !== all) {
    throw new Error(`its weights are not whole: expected ${all} bytes, found ${arrived}. Export or copy it once more.`);
  }
  const data = await new Blob(parts.flat()).arrayBuffer();
  return tf.loadGraphModel({ load: async () => tf.io.getModelArtifactsForJSONSync(json, specs, data) });
}

async function readJson(url: string): Promise<ModelJson> {
  const bytes = await new Blob(await fetchBytes(url)).text();
  try {
    return JSON.parse(bytes);
  } catch (cause) {
    throw new Error(`${nameOf(url)} is damaged. Export or copy it once more.`, { cause });
  }
}

/** A file in the pieces in which it arrives; `tell` is told how many bytes each has. */
async function fetchBytes(url: string, tell: (count: number) => void = () => {}): Promise<Uint8Array<ArrayBuffer>[]> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  try {
    const { ok, status, body } = await fetch(url);
    if (!ok || !body) throw new Error(`the server says ${status}`);
    const reader = body.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      pieces.push(read.value);
      tell(read.value.length);
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${nameOf(url)} could not be loaded (${why}).`, { cause });
  }
  return pieces;
}

const nameOf = (url: string) => new URL(url).pathname.split('/').at(-1) ?? url;

const bytesOfType: Readonly<Record<string, number>> = { float32: 4, int32: 4, float16: 2, uint8: 1 };

function bytesOf({ shape, dtype, quantization }: io.WeightsManifestEntry): number {
  return shape.reduce((product, side) => product * side, bytesOfType[quantization?.dtype ?? dtype] ?? 0);
}
