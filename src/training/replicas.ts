// The same network on several devices, each with a part of the batch, as torch.nn.DataParallel: gradients are averaged,
// each replica normalises by its own part, and the running statistics are the first one's.

import { defined } from '../defined.js';
import type { Graph, Tensor } from '../graph/graph.js';
import { split } from '../graph/ops/array.js';
import { add, div, mul } from '../graph/ops/math.js';
import { placeholder } from '../graph/ops/source.js';
import { float32, type HostTensor, int32 } from '../graph/session.js';
import type { Storage } from '../models/parameters.js';
import { cuts } from './batch-parts.js';

/** A batch's, or a part's: means by `weight`, a scalar that is made when it is asked for. */
export interface LossAndGradients {
  loss: Tensor;
  weight: () => Tensor;
  gradients: ReadonlyMap<Storage, Tensor>;
}

/** Of the whole batch, from those of its parts. */
export function average(parts: readonly LossAndGradients[]): LossAndGradients {
  const [first, ...rest] = parts;
  if (!first || rest.length === 0) return defined(first);
  const weights = parts.map((part) => part.weight());
  const total = (values: readonly Tensor[]) => values.reduce((sum, value) => add(sum, value));
  const weight = total(weights);
  const mean = (value: (part: LossAndGradients) => Tensor) =>
    div(total(parts.map((part, index) => mul(value(part), defined(weights[index])))), weight);
  const gradients = [...first.gradients.keys()].map(
    (storage) => [storage, mean((part) => defined(part.gradients.get(storage)))] as const,
  );
  return { loss: mean((part) => part.loss), weight: () => weight, gradients: new Map(gradients) };
}

/** Which images each replica gets. */
export interface ReplicaInputs {
  /** int32 [replicas]: the first image of each, and how many it gets, 1 or more. */
  replica_first: Tensor;
  replica_images: Tensor;
  /** float32 [replicas]: 0 for one that only computes because it must; 1 for all others. */
  replica_counts: Tensor;
}

export function replicaInputs(graph: Graph, replicas: number): ReplicaInputs {
  return {
    replica_first: placeholder(graph, 'replica_first', 'int32', [replicas]),
    replica_images: placeholder(graph, 'replica_images', 'int32', [replicas]),
    replica_counts: placeholder(graph, 'replica_counts', 'float32', [replicas]),
  };
}

/** For a batch of so many images; replicas that there are no images for compute the first one and do not count. */
export function replicaFeeds(images: number, replicas: number): Record<keyof ReplicaInputs, HostTensor> {
  const ends = cuts(images, replicas);
  const parts = Array.from({ length: replicas }, (_, index) => {
    const [from, to] = [ends[index], ends[index + 1]];
    return from === undefined || to === undefined
      ? { first: 0, count: 1, counts: 0 }
      : { first: from, count: to - from, counts: 1 };
  });
  return {
    replica_first: int32(parts.map(({ first }) => first)),
    replica_images: int32(parts.map(({ count }) => count)),
    replica_counts: float32(parts.map(({ counts }) => counts)),
  };
}

/** One replica's of the inputs: int32 [1] twice, and a float32 [1]. */
export interface ReplicaShare {
  first: Tensor;
  count: Tensor;
  counts: Tensor;
}

export function sharesOf(inputs: ReplicaInputs, replicas: number): ReplicaShare[] {
  const [firsts, counts, weights] = [inputs.replica_first, inputs.replica_images, inputs.replica_counts].map((input) =>
    split(input, replicas, 0),
  );
  return Array.from({ length: replicas }, (_, index) => ({
    first: defined(firsts?.[index]),
    count: defined(counts?.[index]),
    counts: defined(weights?.[index]),
  }));
}
