// The network as training evaluates it, before anything is folded or rewritten.

import { float32, openSession, outputOf, type Runtime } from '../graph/session.js';
import { frozenGraph } from './export-graph.js';
import type { ExportedNetwork } from './network.js';

export interface Unchanged {
  /** Probabilities of `count` normalised images, row-major [N, classes]. */
  run(images: Float32Array, count: number): ArrayLike<number>;
  close(): void;
}

export async function openUnchanged(network: ExportedNetwork, runtime: Runtime): Promise<Unchanged> {
  const { pixels, probabilities } = frozenGraph(network, { input: 'floats' });
  const named = { run: { inputs: { pixels }, outputs: { probabilities } } };
  const session = await openSession<'run'>(runtime, pixels.graph, named);
  const { crop } = network.preprocessing;
  return {
    run: (images, count) => {
      const input = float32(images, [count, crop, crop, 3]);
      return outputOf(session.run('run', { pixels: input }), 'probabilities').data;
    },
    close: () => session.dispose(),
  };
}
