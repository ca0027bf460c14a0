// Networks with weights that are computed, not downloaded, and what the graph that training evaluates makes of images.

import { Graph } from '#src/graph/graph.js';
import { exp } from '#src/graph/ops/activation.js';
import { logSoftmax } from '#src/graph/ops/loss.js';
import { identity, placeholder } from '#src/graph/ops/source.js';
import { float32, openSession, outputOf, type Runtime } from '#src/graph/session.js';
import type { TrainedNetwork } from '#src/inference/network.js';
import { Module } from '#src/models/module.js';
import { ParameterStore, Reads } from '#src/models/parameters.js';
import { findModel } from '#src/models/registry.js';
import { referencePixels, referenceTensor } from '../../scripts/parity/reference.js';

const salt = 'export';
const mean = [0.485, 0.456, 0.406] as const;
const std = [0.229, 0.224, 0.225] as const;

/** The network's variables, and its evaluation, as training builds them. */
function build(name: string, classes: number, crop: number) {
  const model = findModel(name);
  if (!model) throw new Error(`internal: there is no model ${name}`);
  const graph = new Graph();
  const images = placeholder(graph, 'images', 'float32', [null, crop, crop, 3]);
  const parameters = new ParameterStore(graph);
  const module = new Module({ parameters, training: false, reads: new Reads(), statistics: [] });
  const logits = model.build(module, images, classes);
  return { graph, images, parameters: parameters.all, probabilities: exp(logSoftmax(logits)) };
}

export function referenceNetwork(
  model: string,
  { classes = 5, crop = 64 }: { classes?: number; crop?: number } = {},
): TrainedNetwork {
  const weights = new Map(
    build(model, classes, crop).parameters.map(({ name, spec: { shape } }) => [
      name,
      { shape, data: referenceTensor(salt, name, shape) },
    ]),
  );
  return {
    model,
    classes: Array.from({ length: classes }, (_, index) => `class ${index}`),
    preprocessing: { resize: crop, crop, interpolation: 'bilinear', mean, std },
    weights,
  };
}

export interface ReferenceBatch {
  /** 0 to 255, [N, crop, crop, 3]. */
  bytes: Uint8Array;
  /** The same, normalised. */
  floats: Float32Array;
  shape: readonly number[];
}

export function referenceBatch({ preprocessing: { crop } }: TrainedNetwork, images = 2): ReferenceBatch {
  const bytes = referencePixels(salt, images, crop).subarray(0, images * crop * crop * 3);
  const floats = Float32Array.from(bytes, (value, i) => (value / 255 - (mean[i % 3] ?? 0)) / (std[i % 3] ?? 1));
  return { bytes, floats, shape: [images, crop, crop, 3] };
}

/** Probabilities, [N, classes], by the graph with its variables. */
export async function referenceProbabilities(runtime: Runtime, network: TrainedNetwork, batch: ReferenceBatch) {
  const { model, classes, preprocessing, weights } = network;
  const { graph, images, parameters, probabilities } = build(model, classes.length, preprocessing.crop);
  const fed = parameters.map((parameter, index) => {
    const value = placeholder(graph, `value${index}`, 'float32', parameter.spec.shape);
    return { name: parameter.name, value, assigned: parameter.storage.variable.assign(parameter.enterGraph(value)) };
  });
  const done = graph.after(
    fed.map(({ assigned }) => assigned),
    () => identity(images, 'done'),
  );
  const session = await openSession<'init' | 'predict'>(runtime, graph, {
    init: { inputs: { images, ...Object.fromEntries(fed.map(({ name, value }) => [name, value])) }, outputs: { done } },
    predict: { inputs: { images }, outputs: { probabilities } },
  });
  try {
    const input = float32(batch.floats, batch.shape);
    const values = [...weights].map(([name, { data, shape }]) => [name, float32(data, shape)] as const);
    session.run('init', { images: input, ...Object.fromEntries(values) });
    return outputOf(session.run('predict', { images: input }), 'probabilities');
  } finally {
    session.dispose();
  }
}

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return Array.from(a, (value, index) => Math.abs(value - (b[index] ?? 0))).reduce((x, y) => Math.max(x, y), 0);
}
