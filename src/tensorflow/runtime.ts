// Runs SavedModels: the one door through which the rest of the program reaches a loaded TensorFlow. Data crosses it as
// typed arrays, so that nobody above needs to know tfjs tensors or to free them.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../errors.js';
import type { HostTensor } from './host-tensor.js';
import { registerKernels } from './kernels.js';
import { loadTensorflow, type Tensorflow } from './load.js';
import { type HalfType, slowTypes } from './processor.js';
import { isDeterministic, type RuntimeOptions, threadsInUse } from './reproducible.js';
import { reserveRegion } from './reserve.js';
import { takeTensor } from './take-tensor.js';

export type { HostTensor, RuntimeOptions };

export interface Runtime {
  readonly device: 'cpu' | 'cuda';
  readonly tensorflowVersion: string;
  /** Threads within an op. On a CPU another number of threads computes other bits. */
  readonly threads: number;
  /** Whether ops without a deterministic kernel fail. */
  readonly deterministic: boolean;
  /** Names of ops beyond TensorFlow's own that graphs may hold. */
  readonly kernels: ReadonlySet<string>;
  /** Types whose convolutions and products this device is to compute in float32: a graph's `widens`. */
  readonly slowTypes: ReadonlySet<HalfType>;
  /** Loads a SavedModel; nothing of it is left on disk. */
  loadModel(model: SavedModelBytes, signatures: readonly string[]): Promise<LoadedModel>;
  /** Tensors that TensorFlow.js holds now; constant from step to step unless something leaks. */
  tensorCount(): number;
  /** Prepares for a computation that needs about so many bytes at a time, to take less memory; on a GPU nothing is done. */
  reserve(bytes: number): void;
}

/** A saved_model.pb, and the same without its graph. */
export interface SavedModelBytes {
  whole: Uint8Array;
  signaturesOnly: Uint8Array;
}

export interface LoadedModel {
  /**
   * Runs one signature to its end, blocking the thread. A typed array handed in may be used without a copy until the
   * call returns. Throws with TensorFlow's message when the graph fails.
   */
  run(signature: string, inputs: Readonly<Record<string, HostTensor>>): Record<string, HostTensor>;
  dispose(): void;
}

/** Loads TensorFlow for the wanted device. Call once a process. */
export async function openRuntime(device: 'auto' | 'cpu' | 'cuda', options: RuntimeOptions = {}): Promise<Runtime> {
  const { tf, device: found, version, installation } = await loadTensorflow(device, options);
  return {
    device: found,
    tensorflowVersion: version,
    threads: threadsInUse(),
    deterministic: isDeterministic(),
    kernels: registerKernels(installation, found),
    slowTypes: found === 'cpu' ? slowTypes() : new Set(),
    tensorCount: () => tf.memory().numTensors,
    reserve: (bytes) => {
      if (found === 'cpu') reserveRegion(tf, bytes);
    },
    loadModel: (model, signatures) => loadModel(tf, model, signatures),
  };
}

type Signature = Awaited<ReturnType<Tensorflow['node']['loadSavedModel']>>;

async function loadModel(tf: Tensorflow, model: SavedModelBytes, names: readonly string[]): Promise<LoadedModel> {
  const loaded = await loadSignatures(tf, model, names);
  return {
    run(signature, inputs) {
      const model = loaded.get(signature);
      if (!model) throw new Error(`internal: no signature ${signature} was loaded`);
      const feeds = Object.fromEntries(
        Object.entries(inputs).map(([name, { data, shape, dtype }]) => [name, tf.tensor(data, [...shape], dtype)]),
      );
      try {
        const outputs = model.predict(feeds);
        if (outputs instanceof tf.Tensor || Array.isArray(outputs)) {
          throw new Error('internal: outputs came back without their names');
        }
        return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, takeTensor(tensor)]));
      } catch (error) {
        throw outOfMemory(error) ?? error;
      } finally {
        for (const tensor of Object.values(feeds)) tensor.dispose();
      }
    },
    dispose() {
      for (const model of loaded.values()) model.dispose();
    },
  };
}

/** What TensorFlow says, on a GPU as on a processor, when a tensor finds no room. */
const outOfMemoryPattern =
  /OOM when allocating tensor with shape(\[[\d,]*\])|RESOURCE_EXHAUSTED|failed to allocate memory/i;

function outOfMemory(error: unknown): UserError | undefined {
  const found = outOfMemoryPattern.exec(error instanceof Error ? error.message : '');
  if (!found) return undefined;
  const shape = found[1] ? `no room for a tensor of the shape ${found[1]}` : 'none left';
  const mend = 'Choose a smaller --batch_size or a smaller --model';
  return new UserError('Out of memory', { found: shape, mend }, { cause: error });
}

/** Signatures loaded from one folder share one session, and so its variables. */
async function loadSignatures(tf: Tensorflow, { whole, signaturesOnly }: SavedModelBytes, names: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'deep-cnn-graph-'));
  const file = join(folder, 'saved_model.pb');
  const loaded = new Map<string, Signature>();
  try {
    await writeFile(file, whole);
    for (const name of names) {
      loaded.set(name, await tf.node.loadSavedModel(folder, ['serve'], name));
      // tfjs parses the file again for each signature, a third of the time to load a large network. The session exists
      // after the first, so that the graph is no longer needed.
      if (loaded.size === 1) await writeFile(file, signaturesOnly);
    }
    return loaded;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
