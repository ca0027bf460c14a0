// The formats: how a network is written into a folder, and how what was written is run again to compare it.

import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { float32, int32, outputOf, type Runtime } from '../graph/session.js';
import type { TrainedNetwork } from '../inference/network.js';
import { readNetworkFile } from '../inference/network-file.js';
import { loadGraphModel } from '../tensorflow/graph-model.js';
import type { HostTensor } from '../tensorflow/runtime.js';
import { writeWhole } from './export-folder.js';
import type { InputKind } from './network.js';
import { exportOnnx } from './onnx/onnx.js';
import { openOnnx } from './onnx/runtime.js';
import { pageFiles } from './page-files.js';
import { writeWeights } from './safetensors.js';
import { exportSavedModel, servingSignature } from './saved-model.js';
import { exportTfjs } from './tfjs.js';
import type { Quantization } from './tfjs-weights.js';

export interface FormatOptions {
  input: InputKind;
  quantize: Quantization;
}

/** Images as the format's input kind wants them, [N, crop, crop, 3], or with the channels first. */
export type Images = Uint8Array | Float32Array;

/** Runs an exported network. */
export interface Exported {
  /** Whether floats are wanted with the channels first, [N, 3, crop, crop]. */
  channelsFirst: boolean;
  /** Probabilities, row-major [N, classes]. `shape` is the images'. */
  run(images: Images, shape: readonly number[]): Promise<ArrayLike<number>>;
  close(): void;
}

export interface Format {
  /** Of `--quantize`. */
  quantizations: readonly Quantization[];
  /** Of `--input`; none where images do not go into the format. */
  inputs: readonly InputKind[];
  write(folder: string, network: TrainedNetwork, options: FormatOptions): Promise<void>;
  /** Undefined where what would run it is not installed. */
  open(folder: string, options: FormatOptions, runtime: Runtime): Promise<Exported | undefined>;
}

export type FormatName = 'tfjs' | 'savedmodel' | 'safetensors' | 'onnx';

const tfjs: Format = {
  quantizations: ['none', 'float16', 'uint8'],
  inputs: ['bytes', 'floats'],
  async write(folder, network, options) {
    for (const name of ['data', 'page', 'page/tfjs']) await mkdir(join(folder, name));
    for (const [name, bytes] of [...exportTfjs(network, options), ...(await pageFiles())]) {
      await writeWhole(join(folder, name), bytes);
    }
  },
  async open(folder) {
    const json = await readFile(join(folder, 'model.json'));
    const { weightsManifest } = JSON.parse(json.toString()) as { weightsManifest: { paths: string[] }[] };
    const files = new Map<string, Uint8Array>([['model.json', json]]);
    for (const path of weightsManifest.flatMap(({ paths }) => paths))
      files.set(path, await readFile(join(folder, path)));
    const model = await loadGraphModel(files);
    return {
      channelsFirst: false,
      run: async (images, shape) => (await model.predict(hostTensor(images, shape))).data,
      close: () => model.dispose(),
    };
  },
};

const savedmodel: Format = {
  quantizations: ['none'],
  inputs: ['bytes', 'floats'],
  async write(folder, network, options) {
    // TensorFlow's own loaders find nothing missing without it; others look for it.
    await mkdir(join(folder, 'variables'));
    await writeWhole(join(folder, 'saved_model.pb'), exportSavedModel(network, options));
  },
  open: async (folder, _, runtime) => runSavedModel(await readFile(join(folder, 'saved_model.pb')), runtime),
};

const safetensors: Format = {
  quantizations: ['none', 'float16'],
  inputs: [],
  write: (folder, network, { quantize }) =>
    writeWeights(join(folder, 'model.safetensors'), network, { quantize: quantize === 'float16' ? quantize : 'none' }),
  async open(folder, { input }, runtime) {
    const network = await readNetworkFile(join(folder, 'model.safetensors'));
    return runSavedModel(exportSavedModel(network, { input }), runtime);
  },
};

const onnx: Format = {
  quantizations: ['none', 'float16'],
  inputs: ['bytes', 'floats'],
  async write(folder, network, { input, quantize }) {
    const bytes = exportOnnx(network, { input, quantize: quantize === 'float16' ? quantize : 'none' });
    await writeWhole(join(folder, 'model.onnx'), bytes);
  },
  async open(folder) {
    const session = await openOnnx(join(folder, 'model.onnx'));
    return session && { channelsFirst: true, run: session.run, close: () => {} };
  },
};

export const formats: Readonly<Record<FormatName, Format>> = { tfjs, savedmodel, safetensors, onnx };

async function runSavedModel(file: Uint8Array, runtime: Runtime): Promise<Exported> {
  const model = await runtime.loadModel({ whole: file, signaturesOnly: file }, [servingSignature]);
  return {
    channelsFirst: false,
    run: async (images, shape) =>
      outputOf(model.run(servingSignature, { pixels: hostTensor(images, shape) }), 'probabilities').data,
    close: () => model.dispose(),
  };
}

const hostTensor = (images: Images, shape: readonly number[]): HostTensor =>
  images instanceof Float32Array ? float32(images, shape) : int32(images, shape);
