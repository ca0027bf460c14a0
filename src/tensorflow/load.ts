// Loads tfjs-node-gpu on top of the TensorFlow that set-up installed. This is the only module that does.

import { createRequire } from 'node:module';
import util from 'node:util';
import { UserError } from '../errors.js';
import { findInstallation, type Installation } from './cache.js';
import { limitGpuMemory } from './gpu-memory.js';
import { ensureTensorflow } from './install.js';
import { silenceTensorflow } from './jpeg-decoder.js';
import { type RuntimeOptions, setEnvironment } from './reproducible.js';
import { compileWithXla } from './xla.js';

export type Tensorflow = typeof import('@tensorflow/tfjs-node-gpu');

export interface LoadedTensorflow {
  tf: Tensorflow;
  device: 'cpu' | 'cuda';
  version: string;
  installation: Installation;
}

interface NodeBackend {
  isUsingGpuDevice: boolean;
  binding: { TF_Version: string };
}

const require = createRequire(import.meta.url);

/**
 * Loads TensorFlow, installing it first if need be. `device` 'cpu' hides the GPUs, 'cuda' insists on one; `options`
 * matter the first time only. Throws a `UserError` when 'cuda' is wanted and TensorFlow finds no usable GPU.
 */
export async function loadTensorflow(
  device: 'auto' | 'cpu' | 'cuda',
  options: RuntimeOptions = {},
): Promise<LoadedTensorflow> {
  const installation = await installationFor(device);

  setEnvironment(options);
  if (device === 'cpu') process.env['CUDA_VISIBLE_DEVICES'] = '-1';
  else if (options.xla) compileWithXla(installation);
  silenceTensorflow();
  const { gpuMemoryMegabytes } = options;
  if (device !== 'cpu' && gpuMemoryMegabytes !== undefined) limitGpuMemory(installation, gpuMemoryMegabytes);

  restoreNodeUtilities();
  pointToBinding(installation.bindingPath);
  const tf = require('@tensorflow/tfjs-node-gpu') as Tensorflow;
  tf.enableProdMode();

  const backend = tf.backend() as unknown as NodeBackend;
  if (device === 'cuda' && !backend.isUsingGpuDevice) {
    throw new UserError('--device=cuda found no usable GPU', {
      expected: 'an NVIDIA GPU that TensorFlow can open',
      found: `none (TensorFlow ${backend.binding.TF_Version}, ${installation.variant} build)`,
      mend: 'Run `npx deep-cnn doctor` to see which driver or library is missing, or use --device=auto',
    });
  }
  return { tf, device: backend.isUsingGpuDevice ? 'cuda' : 'cpu', version: backend.binding.TF_Version, installation };
}

/** Any build runs on the CPU; only CUDA's, or the site's own, runs on a GPU. */
async function installationFor(device: 'auto' | 'cpu' | 'cuda'): Promise<Installation> {
  const installed = findInstallation();
  if (installed && (device !== 'cuda' || installed.variant !== 'cpu')) return installed;
  return ensureTensorflow({ variant: device });
}

/** tfjs 4.22 calls two functions that Node 23 removed. */
function restoreNodeUtilities(): void {
  const utilities = util as unknown as Record<string, unknown>;
  utilities['isNullOrUndefined'] ??= (value: unknown): boolean => value === null || value === undefined;
  utilities['isArray'] ??= Array.isArray;
}

/**
 * tfjs-node-gpu asks node-pre-gyp where its addon lies, and knows only a place inside node_modules, which may be
 * read-only and is lost at each install. The addon is in the cache, so the question is answered here.
 */
function pointToBinding(bindingPath: string): void {
  const ownRequire = createRequire(require.resolve('@tensorflow/tfjs-node-gpu/package.json'));
  const id = ownRequire.resolve('@mapbox/node-pre-gyp');
  const answer = { find: () => bindingPath };
  ownRequire.cache[id] = Object.assign(Object.create(null), { id, filename: id, loaded: true, exports: answer });
}
