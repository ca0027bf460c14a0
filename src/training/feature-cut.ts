// Where a frozen backbone ends and what is trained begins. The tensor between the two, an image's features, is found in
// the finished graph, so that no network has to say it: it is the one thing that leads from what stays the same for an
// image in every epoch to what does not. Dropout thus belongs to the head.

import type { Tensor } from '../graph/graph.js';
import { cast, reshape } from '../graph/ops/array.js';
import { placeholder } from '../graph/ops/source.js';
import type { Signature } from '../graph/saved-model.js';
import { digestOf, nodesAfter, nodesBefore, substitute } from '../graph/substitute.js';
import { elementCount, isFloat } from '../graph/types.js';

/** Numbers that an image's features are made of, in training and in evaluation. */
export interface FeatureSizes {
  train: number;
  eval: number;
}

export type FeatureStepName = `${keyof FeatureSizes}_${'backbone' | 'head'}`;

/** A computation, and what in it differs from step to step for the same image. */
interface Cuttable {
  whole: Signature;
  changing: readonly Tensor[];
}

/**
 * Both kinds of step in two parts each, and what stands for the computation of the features; undefined where one of them
 * can't be cut in two.
 */
export function featureSteps(
  steps: Record<keyof FeatureSizes, Cuttable>,
): { sizes: FeatureSizes; digest: string; signatures: Record<FeatureStepName, Signature> } | undefined {
  const [train, evaluation] = [cutAtFeatures(steps.train), cutAtFeatures(steps.eval)];
  if (!train || !evaluation) return undefined;
  return {
    sizes: { train: train.size, eval: evaluation.size },
    digest: digestOf([train.backbone, evaluation.backbone].flatMap(({ outputs }) => Object.values(outputs))),
    signatures: {
      train_backbone: train.backbone,
      train_head: train.head,
      eval_backbone: evaluation.backbone,
      eval_head: evaluation.head,
    },
  };
}

/** A computation in two parts, which together compute the same to the bit. */
interface FeatureCut {
  /** Numbers that an image's features are made of. */
  size: number;
  /** From images to `features`, float32 [N, size]. */
  backbone: Signature;
  /** From `features` in place of the images to the outputs of the whole. */
  head: Signature;
}

/**
 * Cuts `whole`, whose images come in by its input `pixels`, before all that depends on `changing`. Undefined where it
 * can't be cut at one tensor.
 */
function cutAtFeatures({ whole, changing }: Cuttable): FeatureCut | undefined {
  const { pixels, labels, ...others } = whole.inputs;
  if (!pixels || !labels) throw new Error('internal: there are no images to cut at');
  const found = findFeatures(whole, pixels, changing);
  if (!found) return undefined;
  const { graph } = found;
  const [, ...shape] = found.shape;
  const size = elementCount(shape);
  return graph.scope('features', () => {
    const features = placeholder(graph, 'features', 'float32', [null, size]);
    const given = reshape(cast(features, found.dtype), [null, ...shape]);
    const outputs = substitute(whole.outputs, found, given);
    if (nodesBefore(Object.values(outputs)).has(pixels.node)) return undefined;
    return {
      size,
      backbone: { inputs: { pixels, labels }, outputs: { features: reshape(cast(found, 'float32'), [null, size]) } },
      head: { inputs: { features, labels, ...others }, outputs },
    };
  });
}

function findFeatures({ outputs }: Signature, pixels: Tensor, changing: readonly Tensor[]): Tensor | undefined {
  const ofImages = nodesAfter([pixels]);
  const changes = nodesAfter(changing);
  const found = new Set<Tensor>();
  for (const node of nodesBefore(Object.values(outputs))) {
    if (!changes.has(node)) continue;
    for (const input of node.inputs) {
      if (ofImages.has(input.node) && !changes.has(input.node)) found.add(measured(input));
    }
  }
  const [features, ...rest] = found;
  const isCut = features && rest.length === 0 && isFloat(features.dtype);
  return isCut && features.shape.slice(1).every((length) => length !== null) ? features : undefined;
}

/** A tensor's shape says nothing of the image: what was measured is there in its place. */
function measured(tensor: Tensor): Tensor {
  const [input] = tensor.node.inputs;
  return tensor.node.op === 'Shape' && input ? input : tensor;
}
