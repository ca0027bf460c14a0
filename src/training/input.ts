// How images and labels enter the graph: as bytes, a quarter of what floats would take, normalised inside.

import type { Graph, Tensor } from '../graph/graph.js';
import { shapeOf, slice } from '../graph/ops/array.js';
import { placeholder } from '../graph/ops/source.js';
import { type InputImages, imagesOfWords, normalised, someImages } from '../models/image-input.js';

export type { InputImages };

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

export function graphInput(graph: Graph, preprocessing: InputImages): GraphInput {
  const pixels = placeholder(graph, 'pixels', 'int32', [null]);
  const labels = placeholder(graph, 'labels', 'int32', [null]);
  const bytesOfImages = graph.scope('input', () => imagesOfWords(pixels, shapeOf(labels), preprocessing));
  const images = graph.scope('input', () => normalised(bytesOfImages, preprocessing));
  const part = (first: Tensor, count: Tensor) => {
    const taken = someImages(bytesOfImages, first, count);
    return { images: normalised(taken, preprocessing), labels: slice(labels, first, count, [null]) };
  };
  return { pixels, labels, images, part };
}
