// How images and labels enter the graph: as bytes, a quarter of what floats would take, normalised inside.

import type { Graph, Tensor } from '../graph/graph.js';
import { bytesOf, cast, concat, reshape, shapeOf, slice } from '../graph/ops/array.js';
import { mul, sub } from '../graph/ops/math.js';
import { floatConstant, intConstant, placeholder } from '../graph/ops/source.js';

/** What the graph needs to know of the preprocessing. */
export interface InputImages {
  /** Height and width in pixels. */
  crop: number;
  /** Per channel, for pixel values scaled to 0..1. */
  mean: readonly number[];
  std: readonly number[];
}

export interface GraphInput {
  /** int32 [ceil(N H W 3 / 4)]: the batch's bytes in row-major [N, H, W, 3] order, read as 32-bit words. */
  pixels: Tensor;
  /** int32 [N]. */
  labels: Tensor;
  /** float32 [N, H, W, 3], normalised as torchvision's ToTensor and Normalize. */
  images: Tensor;
  /** Some of them, on the device of whoever asks. `first` and `count`: int32 [1]. */
  part: (first: Tensor, count: Tensor) => { images: Tensor; labels: Tensor };
}

export function graphInput(graph: Graph, { crop, mean, std }: InputImages): GraphInput {
  const pixels = placeholder(graph, 'pixels', 'int32', [null]);
  const labels = placeholder(graph, 'labels', 'int32', [null]);
  const normalised = (bytes: Tensor): Tensor => {
    const values = cast(bytes, 'float32');
    const scale = std.map((deviation) => 1 / (255 * deviation));
    const shift = std.map((deviation, channel) => (mean[channel] ?? 0) / deviation);
    return sub(mul(values, floatConstant(graph, scale)), floatConstant(graph, shift));
  };
  const bytesOfImages = graph.scope('input', () => {
    const bytes = reshape(bytesOf(pixels), [null]);
    // The last word may hold up to three bytes that belong to no image.
    const used = mul(shapeOf(labels), intConstant(graph, [crop * crop * 3]));
    const exact = slice(bytes, intConstant(graph, [0]), used, [null]);
    return reshape(exact, [null, crop, crop, 3]);
  });
  const images = graph.scope('input', () => normalised(bytesOfImages));
  const part = (first: Tensor, count: Tensor) => {
    const [zero, all] = [intConstant(graph, [0, 0, 0]), intConstant(graph, [-1, -1, -1])];
    const start = concat([first, zero], 0);
    const taken = slice(bytesOfImages, start, concat([count, all], 0), [null, crop, crop, 3]);
    return { images: normalised(taken), labels: slice(labels, first, count, [null]) };
  };
  return { pixels, labels, images, part };
}
