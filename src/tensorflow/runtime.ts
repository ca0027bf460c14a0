// Runs SavedModels: the one door through which the rest of the program reaches a loaded TensorFlow. Data crosses it as
// typed arrays, so that nobody above needs to know tfjs tensors or to free them.

import { loadTensorflow, type Tensorflow } from './load.js';

/** What TensorFlow.js can carry in and out of a graph. */
export interface HostTensor {
  dtype: 'float32' | 'int32';
  shape: readonly number[];
  data: Float32Array | Int32Array;
}

export interface Runtime {
  readonly device: 'cpu' | 'cuda';
  readonly tensorflowVersion: string;
  loadModel(folder: string, signatures: readonly string[]): Promise<LoadedModel>;
  /** Tensors that TensorFlow.js holds now; constant from step to step unless something leaks. */
  tensorCount(): number;
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
export async function openRuntime(device: 'auto' | 'cpu' | 'cuda'): Promise<Runtime> {
  const { tf, device: found, version } = await loadTensorflow(device);
  return {
    device: found,
    tensorflowVersion: version,
    tensorCount: () => tf.memory().numTensors,
    loadModel: (folder, signatures) => loadModel(tf, folder, signatures),
  };
}

async function loadModel(tf: Tensorflow, folder: string, signatures: readonly string[]): Promise<LoadedModel> {
  // Signatures loaded from one folder share one session, and so its variables.
  const loaded = new Map<string, Awaited<ReturnType<typeof tf.node.loadSavedModel>>>();
  for (const name of signatures) loaded.set(name, await tf.node.loadSavedModel(folder, ['serve'], name));

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
      } finally {
        for (const tensor of Object.values(feeds)) tensor.dispose();
      }
    },
    dispose() {
      for (const model of loaded.values()) model.dispose();
    },
  };
}

type TfTensor = InstanceType<Tensorflow['Tensor']>;

/** Copies a tensor's values out and frees it. */
function takeTensor(tensor: TfTensor): HostTensor {
  try {
    const data = tensor.dataSync();
    if (tensor.dtype === 'float32' && data instanceof Float32Array)
      return { dtype: 'float32', shape: tensor.shape, data };
    if (tensor.dtype === 'int32' && data instanceof Int32Array) return { dtype: 'int32', shape: tensor.shape, data };
    throw new Error(`internal: a graph returned ${tensor.dtype}, which cannot leave it`);
  } finally {
    tensor.dispose();
  }
}
