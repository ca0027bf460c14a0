// A trained network that runs: batches of decoded images in, probabilities out, and what speaks for a class.

import type { Batch } from '../data/loader.js';
import { defined } from '../defined.js';
import { Graph, type Tensor } from '../graph/graph.js';
import { kernelsOf } from '../graph/op.js';
import { exp } from '../graph/ops/activation.js';
import { fusedGroupedOps } from '../graph/ops/fused-grouped.js';
import { geluOps } from '../graph/ops/gelu.js';
import { layerNormOps } from '../graph/ops/layer-norm.js';
import { logSoftmax } from '../graph/ops/loss.js';
import { placeholder } from '../graph/ops/source.js';
import { winogradOps } from '../graph/ops/winograd.js';
import { foldBatchNorm } from '../graph/passes/fold-batch-norm.js';
import { foldConstants } from '../graph/passes/fold-constants.js';
import { type Thawed, thaw } from '../graph/passes/thaw.js';
import type { Signature } from '../graph/saved-model.js';
import { float32, int32, openSession, outputOf, type Runtime } from '../graph/session.js';
import type { FloatType } from '../graph/types.js';
import { imagesOfWords, normalised } from '../models/image-input.js';
import { addGradCam } from './grad-cam.js';
import type { TrainedNetwork } from './network.js';
import { addNetwork } from './network-graph.js';

/** What a network says of a batch; row-major, [images, classes]. */
export interface Scores {
  probabilities: Float32Array;
  /** Their natural logarithms, which are exact also where a probability is next to nothing. */
  logProbabilities: Float32Array;
  /** For `explain`, of a classifier that explains. */
  activations?: Activations;
}

/** What the last convolutions have made of a batch: row-major, [images, height, width, channels]. */
export interface Activations {
  data: Float32Array;
  shape: readonly number[];
}

/** How much each place of an image speaks for a class, 0 or more: row-major, [images, height, width]. */
export interface ClassMaps {
  data: Float32Array;
  height: number;
  width: number;
}

export interface Classifier {
  /** Blocks the thread. The batch is one of the loader's, with the network's own preprocessing, of 1 or more images. */
  classify(batch: Pick<Batch, 'pixels' | 'size'>): Scores;
  /** Grad-CAM for one class of each image, for classifiers that explain. */
  explain(activations: Activations, classes: ArrayLike<number>): ClassMaps;
  close(): void;
}

export interface ClassifierOptions {
  /** Type of activations and convolutions; float32 by default. */
  precision?: FloatType;
  /** Whether `explain` is wanted; it takes no time unless it is used. */
  explains?: boolean;
  /** How many images most batches have, 1 by default: for what computes them fastest, any number can be computed. */
  batchSize?: number;
}

/** Compiles a network. Its weights may be freed afterwards. */
export async function openClassifier(
  network: TrainedNetwork,
  runtime: Runtime,
  { precision = 'float32', explains = false, batchSize = 1 }: ClassifierOptions = {},
): Promise<Classifier> {
  const { kernels, slowTypes } = runtime;
  const parts = { precision, explains, kernels: kernelsFor(precision, batchSize, kernels), slowTypes };
  const { values, ...signatures } = classifierSignatures(network, parts);
  const session = await openSession<'load' | 'classify' | 'explain'>(runtime, graphOf(signatures.classify), signatures);
  if (signatures.load) {
    session.run('load', Object.fromEntries([...values].map(([name, { data, shape }]) => [name, float32(data, shape)])));
  }
  const floats = (outputs: Parameters<typeof outputOf>[0], name: string) => {
    const { data, shape } = outputOf(outputs, name);
    if (!(data instanceof Float32Array)) throw new Error(`internal: ${name} are no float32 numbers`);
    return { data, shape };
  };
  return {
    classify: ({ pixels, size }) => {
      // Four bytes are one word: nothing is copied.
      const words = new Int32Array(pixels.buffer, pixels.byteOffset, pixels.byteLength / 4);
      const outputs = session.run('classify', { pixels: int32(words), count: int32([size]) });
      return {
        probabilities: floats(outputs, 'probabilities').data,
        logProbabilities: floats(outputs, 'log_probabilities').data,
        ...(explains && { activations: floats(outputs, 'activations') }),
      };
    },
    explain: (activations, classes) => {
      const inputs = { activations: float32(activations.data, activations.shape), classes: int32(classes) };
      const { data, shape } = floats(session.run('explain', inputs), 'maps');
      const [, height = 0, width = 0] = shape;
      return { data, height, width };
    },
    close: () => session.dispose(),
  };
}

/**
 * Weights of 1 MB and more are variables. As constants they were in memory several times over: a VGG-16 took 9.6 GB and 46 s to
 * its first image in place of 3.2 GB and 8 s, and computed no faster.
 */
const leastVariable = 2 ** 18;

const graphOf = ({ outputs }: Signature): Graph => defined(Object.values(outputs)[0], 'no outputs').graph;

/** From so many images on it is worth while to transform the filters of large convolutions, and to lay out those of groups. */
const manyImages = 4;

/**
 * In bfloat16 all of our kernels, which give the very numbers that training measures. In float32 convolutions with batch norms
 * folded into them are faster than our kernels for those.
 */
function kernelsFor(precision: FloatType, batchSize: number, kernels: ReadonlySet<string>): ReadonlySet<string> {
  if (precision === 'bfloat16') return kernels;
  const forMany = batchSize >= manyImages ? [fusedGroupedOps, winogradOps] : [];
  return kernelsOf(kernels, layerNormOps, geluOps, ...forMany);
}

interface SignatureOptions {
  precision: FloatType;
  explains: boolean;
  kernels: ReadonlySet<string>;
  slowTypes: ReadonlySet<FloatType>;
}

function classifierSignatures(
  network: TrainedNetwork,
  { precision, explains, kernels, slowTypes }: SignatureOptions,
): { load?: Signature; classify: Signature; explain?: Signature; values: Thawed<string>['values'] } {
  const graph = new Graph({ kernels, widens: slowTypes });
  const pixels = placeholder(graph, 'pixels', 'int32', [null]);
  const count = placeholder(graph, 'count', 'int32', [1]);
  const { preprocessing } = network;
  const images = graph.scope('input', () => normalised(imagesOfWords(pixels, count, preprocessing), preprocessing));
  const { logits, freeze } = addNetwork(network, images, { precision });
  const logProbabilities = logSoftmax(logits);
  const cam = explains ? addGradCam(images, logits) : undefined;
  const probabilities = { probabilities: exp(logProbabilities), log_probabilities: logProbabilities };
  const wanted: Readonly<Record<string, Tensor>> = { pixels, count, ...probabilities, ...cam };
  const { tensors: made, load, values } = thaw(foldBatchNorm(foldConstants(freeze(wanted))), leastVariable);
  const named = (...names: readonly string[]) => Object.fromEntries(names.map((name) => [name, defined(made[name])]));
  return {
    values,
    ...(load && { load }),
    classify: {
      inputs: named('pixels', 'count'),
      outputs: named('probabilities', 'log_probabilities', ...(cam ? ['activations'] : [])),
    },
    ...(cam && {
      explain: { inputs: { activations: defined(made['given']), ...named('classes') }, outputs: named('maps') },
    }),
  };
}
