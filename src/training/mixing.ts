// Mixing the images of a batch: mixup (Zhang et al. 2018, arXiv:1710.09412) blends each with another, CutMix (Yun et al.
// 2019, arXiv:1905.04899) puts a rectangle of the other into it. The other is the one at the mirrored place in the
// batch. Drawn on the host, done in the graph, where it costs next to nothing.

import { randomBeta, randomUniform } from 'd3-random';
import { MersenneTwister } from '../data/random.js';
import type { Graph, Tensor } from '../graph/graph.js';
import { cast, reverse, split } from '../graph/ops/array.js';
import { add, greaterEqual, mul, sub } from '../graph/ops/math.js';
import { floatConstant, placeholder } from '../graph/ops/source.js';
import { float32, type HostTensor } from '../graph/session.js';
import { knownDimension } from '../graph/types.js';

export interface MixingOptions {
  /** Parameters of the beta distributions from which the shares are drawn; 0 leaves a method out. */
  mixup: number;
  cutmix: number;
}

/** How the images of one batch are mixed. */
export interface Mix {
  /** Share of the other image within the box, 0 to 1. */
  amount: number;
  /** In pixels; bottom and right are outside. */
  box: readonly [top: number, left: number, bottom: number, right: number];
  /** Share of an image's own label, 0 to 1. */
  labelShare: number;
}

/** Leaves images and labels as they are. */
export const unmixed: Mix = { amount: 0, box: [0, 0, 0, 0], labelShare: 1 };

/** Draws how step `step` of a run mixes its images of side `crop`; the same seed and step give the same mix. */
export function drawMix({ mixup, cutmix }: MixingOptions, seed: number, step: number, crop: number): Mix {
  const twister = new MersenneTwister((seed ^ Math.imul(step, 0x9e3779b1)) >>> 0);
  const source = () => twister.nextUint32() / 2 ** 32;
  const isMixup = mixup > 0 && (cutmix === 0 || source() < 0.5);
  const alpha = isMixup ? mixup : cutmix;
  const share = randomBeta.source(source)(alpha, alpha)();
  if (isMixup) return { amount: 1 - share, box: [0, 0, crop, crop], labelShare: share };

  const side = Math.trunc(crop * Math.sqrt(1 - share));
  const uniform = randomUniform.source(source)(crop);
  const [top, bottom] = span(Math.trunc(uniform()), side, crop);
  const [left, right] = span(Math.trunc(uniform()), side, crop);
  // The box may reach over the edge: what counts is the part inside.
  const labelShare = 1 - ((bottom - top) * (right - left)) / crop ** 2;
  return { amount: 1, box: [top, left, bottom, right], labelShare };
}

function span(centre: number, side: number, length: number): [number, number] {
  const start = centre - (side >> 1);
  return [Math.max(0, start), Math.min(length, start + side)];
}

export interface MixInputs {
  mix_amount: Tensor;
  mix_box: Tensor;
  mix_label_share: Tensor;
}

export function mixInputs(graph: Graph): MixInputs {
  return {
    mix_amount: placeholder(graph, 'mix_amount', 'float32', []),
    mix_box: placeholder(graph, 'mix_box', 'float32', [4]),
    mix_label_share: placeholder(graph, 'mix_label_share', 'float32', []),
  };
}

export function mixFeeds({ amount, box, labelShare }: Mix): Record<keyof MixInputs, HostTensor> {
  return { mix_amount: float32(amount), mix_box: float32(box), mix_label_share: float32(labelShare) };
}

/** images [N, H, W, C] -> the same, mixed. */
export function mixImages(images: Tensor, { mix_amount: amount, mix_box: box }: MixInputs): Tensor {
  const [top, left, bottom, right] = split(box, 4, 0);
  if (!top || !left || !bottom || !right) throw new Error('internal: a box has four sides');
  const rows = inside(knownDimension(images.shape, 1), [1, null, 1, 1], top, bottom);
  const columns = inside(knownDimension(images.shape, 2), [1, 1, null, 1], left, right);
  const share = mul(mul(rows, columns), amount);
  return add(images, mul(sub(reverse(images, [0]), images), share));
}

/** 1 at the positions from `first` to before `end`, 0 elsewhere; `null` in `shape` is the axis of positions. */
function inside(length: number, shape: readonly (number | null)[], first: Tensor, end: Tensor): Tensor {
  const values = Array.from({ length }, (_, index) => index);
  const positions = floatConstant(
    first.graph,
    values,
    shape.map((axis) => axis ?? length),
  );
  const from = (bound: Tensor) => cast(greaterEqual(positions, bound), 'float32');
  return sub(from(first), from(end));
}
