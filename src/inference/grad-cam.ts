// Grad-CAM: Selvaraju et al. 2017 (arXiv:1610.02391), which parts of an image speak for a class. For networks that end in a
// mean over each channel and a linear layer these are the class activation maps of Zhou et al. 2016 (arXiv:1512.04150),
// divided by the number of places, without what speaks against the class.

import { gradients } from '../graph/autodiff.js';
import { bottlenecks } from '../graph/bottlenecks.js';
import type { Tensor } from '../graph/graph.js';
import { relu } from '../graph/ops/activation.js';
import { cast } from '../graph/ops/array.js';
import { oneHot } from '../graph/ops/loss.js';
import { mean, mul, sum } from '../graph/ops/math.js';
import { placeholder } from '../graph/ops/source.js';
import { substitute } from '../graph/substitute.js';

export interface GradCam {
  /** What the last convolutions make of images: float32 [N, h, w, C]. */
  activations: Tensor;
  /** The same, to be fed. */
  given: Tensor;
  /** To be fed: the class to be explained for each image, int32 [N]. */
  classes: Tensor;
  /** From the two before: how much each place speaks for that class, 0 or more, float32 [N, h, w]. */
  maps: Tensor;
}

/** Adds the maps to a network's graph, whose weights may still be variables. `logits`: float32 [N, classes]. */
export function addGradCam(images: Tensor, logits: Tensor): GradCam {
  const { graph } = logits;
  return graph.scope('grad_cam', () => {
    const activations = lastActivations(images, logits);
    const classes = placeholder(graph, 'classes', 'int32', [null]);
    const score = sum(mul(logits, oneHot(classes, logits.shape.at(-1) ?? 0)));
    const [gradient] = gradients(score, [activations]);
    if (!gradient) throw new Error('internal: the activations have no gradient');
    const weights = mean(cast(gradient, 'float32'), [1, 2], true);
    const maps = relu(sum(mul(weights, cast(activations, 'float32')), [3]));
    const given = placeholder(graph, 'activations', 'float32', activations.shape);
    const after = substitute({ maps }, activations, cast(given, activations.dtype));
    return { activations: cast(activations, 'float32'), given, classes, maps: after.maps };
  });
}

/** Ops that only rearrange or summarise what others have found in an image. */
const rearranging: ReadonlySet<string> = new Set(['MaxPool', 'AvgPool', 'Mean', 'Transpose', 'Reshape', 'Cast', 'Pad']);

/**
 * The last activations that still have places, before they are pooled or flattened: where every way from the image leads
 * through, so that no network has to say it.
 */
export function lastActivations(images: Tensor, logits: Tensor): Tensor {
  const found = bottlenecks(images, logits).findLast(({ node, shape }) => {
    const [, height, width] = shape;
    return shape.length === 4 && Number(height) * Number(width) > 1 && !rearranging.has(node.op);
  });
  if (!found) throw new Error('internal: the network has no activations with places');
  return found;
}
