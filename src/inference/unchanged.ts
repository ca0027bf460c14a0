// The network as training evaluates it, before anything is folded or rewritten.

import { Graph } from '../graph/graph.js';
import { exp } from '../graph/ops/activation.js';
import { logSoftmax } from '../graph/ops/loss.js';
import { placeholder } from '../graph/ops/source.js';
import { float32, openSession, outputOf, type Runtime } from '../graph/session.js';
import type { TrainedNetwork } from './network.js';
import { addNetwork } from './network-graph.js';

export interface Unchanged {
  /** Probabilities of `count` normalised images, row-major [N, classes]. */
  run(images: Float32Array, count: number): ArrayLike<number>;
  close(): void;
}

export async function openUnchanged(network: TrainedNetwork, runtime: Runtime): Promise<Unchanged> {
  const { crop } = network.preprocessing;
  const images = placeholder(new Graph(), 'images', 'float32', [null, crop, crop, 3]);
  const { logits, freeze } = addNetwork(network, images);
  const { images: fed, probabilities } = freeze({ images, probabilities: exp(logSoftmax(logits)) });
  const named = { run: { inputs: { images: fed }, outputs: { probabilities } } };
  const session = await openSession<'run'>(runtime, fed.graph, named);
  return {
    run: (images, count) => {
      const input = float32(images, [count, crop, crop, 3]);
      return outputOf(session.run('run', { images: input }), 'probabilities').data;
    },
    close: () => session.dispose(),
  };
}
