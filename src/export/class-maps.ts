// Where in a graph model its class activation maps can be found (Zhou et al. 2016, arXiv:1512.04150): in networks that
// average their last features over the image and end in one linear layer, the features weighted as the layer weighs their
// averages tell where in the image something speaks for a class.

import type { Tensor } from '../graph/graph.js';
import { intsOf } from '../graph/passes/constants.js';

/** Names of nodes. */
export interface ClassMapNodes {
  /** The last features, [N, H, W, channels]; one channel for each class where there are no weights. */
  features: string;
  /** Those of the last layer, [channels, classes]. */
  weights?: string;
}

const productOps: ReadonlySet<string> = new Set(['MatMul', '_FusedMatMul']);

/** Among the ends of a graph that `turnMatrices` has seen. Undefined where none is a softmax of such a network. */
export function findClassMaps(ends: readonly Tensor[]): ClassMapNodes | undefined {
  const scores = ends.map((end) => inputAfter(end, ['Identity', 'Exp'])).find(({ node }) => node.op === 'LogSoftmax');
  return scores && mapsOfScores(inputAfter(scores, ['LogSoftmax']));
}

function mapsOfScores(scores: Tensor): ClassMapNodes | undefined {
  if (scores.node.op === 'Mean') return mapsBefore(scores);
  const product = inputAfter(scores, ['BiasAdd']);
  const [averages, weights] = product.node.inputs;
  if (!productOps.has(product.node.op) || !averages || !weights) return undefined;
  const maps = mapsBefore(inputAfter(averages, ['Reshape', 'Squeeze', 'Identity']));
  return maps && { ...maps, weights: weights.node.name };
}

/** What these ops, each at most once and in this order, were computed of. */
function inputAfter(tensor: Tensor, ops: readonly string[]): Tensor {
  return ops.reduce((found, op) => (found.node.op === op ? (found.node.inputs[0] ?? found) : found), tensor);
}

function mapsBefore({ node }: Tensor): ClassMapNodes | undefined {
  const [features, axes] = node.inputs;
  if (node.op !== 'Mean' || features?.shape.length !== 4 || !axes) return undefined;
  return intsOf(axes)?.join() === '1,2' ? { features: features.node.name } : undefined;
}
