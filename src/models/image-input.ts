// How images enter a network: bytes become numbers, normalised inside the graph, as torchvision's ToTensor and Normalize.

import type { Tensor } from '../graph/graph.js';
import { bytesOf, cast, concat, reshape, slice } from '../graph/ops/array.js';
import { mul, sub } from '../graph/ops/math.js';
import { floatConstant, intConstant } from '../graph/ops/source.js';

/** What the graph needs to know of the preprocessing. */
export interface InputImages {
  /** Height and width in pixels. */
  crop: number;
  /** Per channel, for pixel values scaled to 0..1. */
  mean: readonly number[];
  std: readonly number[];
}

/**
 * The bytes [N, crop, crop, 3] that are fed as 32-bit words, int32 [ceil(N crop crop 3 / 4)], a quarter of what numbers
 * would take. `count`: N, int32 [1]. They stay in the host's memory, where they are fed.
 */
export function imagesOfWords(words: Tensor, count: Tensor, { crop }: Pick<InputImages, 'crop'>): Tensor {
  const { graph } = words;
  return graph.onHost(() => {
    const bytes = reshape(bytesOf(words), [null]);
    // The last word may hold up to three bytes that belong to no image.
    const used = mul(count, intConstant(graph, [crop * crop * 3]));
    return reshape(slice(bytes, intConstant(graph, [0]), used, [null]), [null, crop, crop, 3]);
  });
}

/** Some of such images, counted by int32 [1]: on the host, as TensorFlow can't cut bytes on a GPU. */
export function someImages(images: Tensor, first: Tensor, count: Tensor): Tensor {
  const { graph, shape } = images;
  return graph.onHost(() => {
    const [zero, all] = [intConstant(graph, [0, 0, 0]), intConstant(graph, [-1, -1, -1])];
    return slice(images, concat([first, zero], 0), concat([count, all], 0), [null, ...shape.slice(1)]);
  });
}

/** (x / 255 - mean) / std: integers [N, H, W, 3] of 0 to 255 -> float32 [N, H, W, 3]. */
export function normalised(pixels: Tensor, { mean, std }: Pick<InputImages, 'mean' | 'std'>): Tensor {
  const { graph } = pixels;
  const values = cast(pixels, 'float32');
  const scale = std.map((deviation) => 1 / (255 * deviation));
  const shift = std.map((deviation, channel) => (mean[channel] ?? 0) / deviation);
  return sub(mul(values, floatConstant(graph, scale)), floatConstant(graph, shift));
}
