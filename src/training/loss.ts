// The loss that training minimises: cross-entropy as torch.nn.CrossEntropyLoss computes it, with label smoothing (Szegedy
// et al. 2015, arXiv:1512.00567), weights for the classes, and labels that are shared between two images.

import type { Tensor } from '../graph/graph.js';
import { cast, reverse, size } from '../graph/ops/array.js';
import { crossEntropy, logSoftmax, oneHot } from '../graph/ops/loss.js';
import { add, div, mean, mul, neg, sub, sum } from '../graph/ops/math.js';
import { floatConstant } from '../graph/ops/source.js';

export interface LossOptions {
  /** Share of each label that goes to all classes alike, 0 to below 1. */
  labelSmoothing?: number;
  /** Weight of each class. */
  classWeights?: readonly number[];
  /** Build the loss without the fused cross-entropy, which has no deterministic kernel on GPUs. */
  unfused?: boolean;
}

/**
 * logits [N, classes] float32, labels [N] int32 -> scalar. `labelShare`, a scalar, is each image's share of its own label
 * where images were mixed with those in reverse order.
 */
export function trainingLoss(
  logits: Tensor,
  labels: Tensor,
  classes: number,
  { labelSmoothing = 0, classWeights, labelShare, unfused = false }: LossOptions & { labelShare?: Tensor | undefined },
): Tensor {
  const isPlain = labelSmoothing === 0 && !classWeights && !labelShare;
  if (isPlain && !unfused) return mean(crossEntropy(logits, labels));

  const { graph } = logits;
  const own = oneHot(labels, classes);
  const smoothed = smooth(own, labelSmoothing, classes);
  const targets = labelShare ? mix(smoothed, labelShare) : smoothed;
  const weights = classWeights && floatConstant(graph, classWeights);
  const weighted = weights ? mul(targets, weights) : targets;
  const total = neg(sum(mul(weighted, logSoftmax(logits))));
  return div(total, lossWeight(labels, classes, { ...(classWeights && { classWeights }), labelShare }));
}

/** What a batch counts beside others where its gradients are means by `trainingLoss`; a scalar. */
export function lossWeight(
  labels: Tensor,
  classes: number,
  { classWeights, labelShare }: LossOptions & { labelShare?: Tensor | undefined },
): Tensor {
  if (!classWeights || labelShare) return cast(size(labels), 'float32');
  return sum(mul(oneHot(labels, classes), floatConstant(labels.graph, classWeights)));
}

function smooth(targets: Tensor, smoothing: number, classes: number): Tensor {
  if (smoothing === 0) return targets;
  const { graph } = targets;
  return add(mul(targets, floatConstant(graph, 1 - smoothing)), floatConstant(graph, smoothing / classes));
}

function mix(targets: Tensor, share: Tensor): Tensor {
  const others = reverse(targets, [0]);
  return add(others, mul(sub(targets, others), share));
}
