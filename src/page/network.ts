// The exported network, loaded from the folder that holds the page, and run on one image at a time.

import type { GraphModel } from '@tensorflow/tfjs-converter';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { GraphModelMetadata } from '../export/tfjs.js';
import type { TensorFlow } from './backend.js';
import { type ClassMap, largest, shownClasses } from './messages.js';

export interface Network {
  description: GraphModelMetadata;
  /** Of one square image of bytes, [crop, crop, 3]. */
  classify(square: Uint8Array): Promise<Classified>;
  dispose(): void;
}

export interface Classified {
  probabilities: Float32Array;
  milliseconds: number;
  /** Of the most likely classes; none where the network has no such maps. */
  maps: ClassMap[];
}

/** Runs a model once on the backend in use, since a first run compiles programs. */
export async function openNetwork(tf: TensorFlow, model: GraphModel): Promise<Network> {
  const description = model.metadata as GraphModelMetadata;
  const { crop } = description.preprocessing;
  const network: Network = {
    description,
    async classify(square) {
      const start = performance.now();
      const pixels = tf.tidy(() => inputOf(tf, square, description));
      const outputs = runModel(model, pixels, description);
      try {
        const probabilities = Float32Array.from(await outputs.probabilities.data());
        const milliseconds = performance.now() - start;
        const categories = largest(probabilities, shownClasses);
        return { probabilities, milliseconds, maps: await classMaps(tf, outputs, categories) };
      } finally {
        pixels.dispose();
        outputs.probabilities.dispose();
        outputs.features?.dispose();
      }
    },
    dispose: () => model.dispose(),
  };
  await network.classify(new Uint8Array(crop * crop * 3));
  return network;
}

/** [1, crop, crop, 3]: bytes as they are, or normalised where the network was exported for that. */
function inputOf(tf: TensorFlow, square: Uint8Array, { input, preprocessing }: GraphModelMetadata): Tensor {
  const { crop, mean, std } = preprocessing;
  const pixels = tf.tensor4d(Int32Array.from(square), [1, crop, crop, 3], 'int32');
  if (input === 'bytes') return pixels;
  const shares = tf.div(tf.cast(pixels, 'float32'), 255);
  return tf.div(tf.sub(shares, tf.tensor1d([...mean])), tf.tensor1d([...std]));
}

interface Outputs {
  probabilities: Tensor;
  /** [1, H, W, channels], before they are averaged. */
  features: Tensor | undefined;
  /** [channels, classes], part of the model; undefined where the features are the classes' own maps. */
  weights: Tensor | undefined;
}

function runModel(model: GraphModel, pixels: Tensor, { classMaps }: GraphModelMetadata): Outputs {
  const inner = classMaps ? [classMaps.features, ...(classMaps.weights ? [classMaps.weights] : [])] : [];
  const found = model.execute(pixels, [probabilitiesOf(model), ...inner]);
  const [probabilities, features, weights] = Array.isArray(found) ? found : [found];
  if (!probabilities) throw new Error('The network has no output.');
  return { probabilities, features, weights };
}

function probabilitiesOf({ outputs: [output] }: GraphModel): string {
  if (!output) throw new Error('The network has no output.');
  return output.name;
}

/** Class activation maps: the last features, weighted as the last layer does for a class (arXiv:1512.04150). */
async function classMaps(
  tf: TensorFlow,
  { features, weights }: Outputs,
  categories: readonly number[],
): Promise<ClassMap[]> {
  const [, height = 0, width = 0, channels = 0] = features?.shape ?? [];
  if (!features) return [];
  const chosen = tf.tidy(() => {
    const places = tf.reshape(features, [height * width, channels]);
    const indices = tf.tensor1d([...categories], 'int32');
    const maps = weights ? tf.matMul(places, tf.gather(weights, indices, 1)) : tf.gather(places, indices, 1);
    return tf.transpose(maps);
  });
  const values = Float32Array.from(await chosen.data());
  chosen.dispose();
  const size = height * width;
  return categories.map((category, index) => ({
    ...{ category, width, height },
    values: values.slice(index * size, (index + 1) * size),
  }));
}
