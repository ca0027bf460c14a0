// Runs graph models of TensorFlow.js in Node, as a browser would run them but for the backend.

import type { HostTensor } from './host-tensor.js';
import { loadTensorflow } from './load.js';
import { takeTensor } from './take-tensor.js';

export interface GraphModel {
  /** What was stored with it. */
  readonly metadata: unknown;
  /** Runs a model of one input and one output. */
  predict(input: HostTensor): Promise<HostTensor>;
  dispose(): void;
}

/**
 * Loads model.json and the files of weights that it names. `backend`: TensorFlow, or TensorFlow.js's own kernels in plain
 * JavaScript, which are slow.
 */
export async function loadGraphModel(
  files: ReadonlyMap<string, Uint8Array>,
  backend: 'tensorflow' | 'cpu' = 'tensorflow',
): Promise<GraphModel> {
  const { tf } = await loadTensorflow('cpu');
  const model = await tf.loadGraphModel({ load: async () => artifactsOf(tf, files) });
  return {
    metadata: model.metadata,
    async predict({ data, shape, dtype }) {
      const before = tf.getBackend();
      tf.setBackend(backend);
      try {
        const output = tf.tidy(() => model.predict(tf.tensor(data, [...shape], dtype)));
        if (!(output instanceof tf.Tensor)) throw new Error('internal: a graph model has more outputs than one');
        return takeTensor(output);
      } finally {
        tf.setBackend(before);
      }
    },
    dispose: () => model.dispose(),
  };
}

type Tf = Awaited<ReturnType<typeof loadTensorflow>>['tf'];

/** What these files hold, as TensorFlow.js's loaders want it. */
export function artifactsOf(
  tf: Tf,
  files: ReadonlyMap<string, Uint8Array>,
): ReturnType<Tf['io']['getModelArtifactsForJSONSync']> {
  const text = Buffer.from(fileOf(files, 'model.json')).toString('utf8');
  const json = JSON.parse(text) as Parameters<typeof tf.io.getModelArtifactsForJSONSync>[0];
  const weights = json.weightsManifest.flatMap(({ paths }) => paths.map((path) => fileOf(files, path)));
  const specs = json.weightsManifest.flatMap((group) => group.weights);
  const { buffer, byteOffset, byteLength } = Buffer.concat(weights);
  const data = buffer.slice(byteOffset, byteOffset + byteLength);
  return tf.io.getModelArtifactsForJSONSync(json, specs, data);
}

function fileOf(files: ReadonlyMap<string, Uint8Array>, name: string): Uint8Array {
  const bytes = files.get(name);
  if (!bytes) throw new Error(`internal: the model has no file ${name}`);
  return bytes;
}
