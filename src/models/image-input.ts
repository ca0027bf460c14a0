// How images enter a network: bytes become numbers, normalised inside the graph, as torchvision's ToTensor and Normalize.

import type { Tensor } from '../graph/graph.js';
import { cast } from '../graph/ops/array.js';
import { mul, sub } from '../graph/ops/math.js';
import { floatConstant } from '../graph/ops/source.js';

/** What the graph needs to know of the preprocessing. */
export interface InputImages {
  /** Height and width in pixels. */
  crop: number;
  /** Per channel, for pixel values scaled to 0..1. */
  mean: readonly number[];
  std: readonly number[];
}

/** (x / 255 - mean) / std: integers [N, H, W, 3] of 0 to 255 -> float32 [N, H, W, 3]. */
export function normalised(pixels: Tensor, { mean, std }: Pick<InputImages, 'mean' | 'std'>): Tensor {
  const { graph } = pixels;
  const values = cast(pixels, 'float32');
  const scale = std.map((deviation) => 1 / (255 * deviation));
  const shift = std.map((deviation, channel) => (mean[channel] ?? 0) / deviation);
  return sub(mul(values, floatConstant(graph, scale)), floatConstant(graph, shift));
}
