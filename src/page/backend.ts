// TensorFlow.js and its backends, from the files beside this one, each loaded when it is first needed.

import type { GraphModel } from '@tensorflow/tfjs-converter';
import type * as core from '@tensorflow/tfjs-core';
import { type BackendName, backendNames } from './messages.js';

/** What TensorFlow.js's files put into the one global variable that they share. */
export type TensorFlow = typeof core & {
  loadGraphModel(handler: core.io.IOHandler): Promise<GraphModel>;
};

type WithWasm = TensorFlow & { wasm: { setWasmPaths(folder: string): void } };

const folder = new URL('tfjs/', import.meta.url);
const loadFile = (name: string) => import(new URL(`${name}.min.js`, folder).href);
const loaded = () => (globalThis as unknown as { tf: WithWasm }).tf;

export async function loadTensorFlow(): Promise<TensorFlow> {
  await loadFile('tf-core');
  await loadFile('tf-converter');
  return loaded();
}

export interface FoundBackends {
  /** Those that this browser has, the fastest first. */
  available: readonly BackendName[];
  /** In the order in which to try them: what only imitates a graphics processor is slower than WebAssembly. */
  preferred: readonly BackendName[];
}

export async function findBackends(): Promise<FoundBackends> {
  const found = await Promise.all(backendNames.map(async (name) => ({ name, presence: await probes[name]() })));
  const namesOf = (wanted: Presence) => found.filter(({ presence }) => presence === wanted).map(({ name }) => name);
  const preferred = [...namesOf('there'), ...namesOf('imitated')];
  return { available: backendNames.filter((name) => preferred.includes(name)), preferred };
}

/** Makes a backend the one that runs what follows. Rejects where it does not start. */
export async function useBackend(tf: TensorFlow, name: BackendName): Promise<void> {
  await loadFile(`tf-backend-${name}`);
  if (name === 'wasm') {
    // Threads need headers that static web servers do not send.
    tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
    // Where this file is missing TensorFlow.js would wait for it for ever.
    const { ok, status } = await fetch(new URL('tfjs-backend-wasm-simd.wasm', folder), { method: 'HEAD' });
    if (!ok) throw new Error(`its WebAssembly could not be loaded (the server says ${status}).`);
    loaded().wasm.setWasmPaths(folder.href);
  }
  if (!(await tf.setBackend(name))) throw new Error(`${name} does not start`);
  await tf.ready();
}

type Presence = 'there' | 'imitated' | 'missing';

const probes: Readonly<Record<BackendName, () => Promise<Presence>>> = {
  async webgpu() {
    const { gpu } = navigator as Navigator & { gpu?: Gpu };
    const adapter = await gpu?.requestAdapter().catch(() => null);
    if (!adapter) return 'missing';
    const { isFallbackAdapter = false, architecture = '', description = '' } = adapter.info ?? {};
    return isFallbackAdapter || isImitation(`${architecture} ${description}`) ? 'imitated' : 'there';
  },
  async webgl() {
    const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
    if (!gl) return 'missing';
    const details = gl.getExtension('WEBGL_debug_renderer_info');
    const renderer = String(gl.getParameter(details?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER));
    gl.getExtension('WEBGL_lose_context')?.loseContext();
    return isImitation(renderer) ? 'imitated' : 'there';
  },
  wasm: async () => (typeof WebAssembly === 'object' ? 'there' : 'missing'),
};

/** The part of WebGPU that is asked for here. */
interface Gpu {
  requestAdapter(): Promise<{
    info?: { isFallbackAdapter?: boolean; architecture?: string; description?: string };
  } | null>;
}

const isImitation = (renderer: string) => /swiftshader|llvmpipe|basic render|software/i.test(renderer);
