// Layers without parameters, as PyTorch defines them, on images [N, H, W, C].

import type { Graph, Tensor } from '../graph/graph.js';
import { cast, concat, invertPermutation, reshape, split, transpose } from '../graph/ops/array.js';
import { matMul, mean, mul } from '../graph/ops/math.js';
import { avgPool, maxPool } from '../graph/ops/pool.js';
import { floatConstant } from '../graph/ops/source.js';
import { type Dimension, knownDimension } from '../graph/types.js';
import { axisPadding, placeWindow } from './window.js';

interface PoolWindow {
  kernel: number;
  stride: number;
  /** Pixels on all four sides, which no maximum ever is. */
  padding?: number;
}

/** torch.nn.MaxPool2d. `ceilMode`: a last window that only begins within the image counts too. */
export function maxPool2d(x: Tensor, options: PoolWindow & { ceilMode?: boolean }): Tensor {
  const window = { padding: 0, ...options };
  const lowest = () => cast(floatConstant(x.graph, Number.NEGATIVE_INFINITY), x.dtype);
  const placed = placeWindow(x, window, { fill: lowest });
  return maxPool(placed.x, { ...window, padding: placed.padding });
}

/** torch.nn.AvgPool2d. `countIncludePad`: the zeros at the edges are averaged too. */
export function avgPool2d(x: Tensor, options: PoolWindow & { countIncludePad?: boolean }): Tensor {
  const { kernel, stride, padding = 0, countIncludePad = true } = options;
  const window = { kernel, stride, padding };
  const placed = placeWindow(x, window, { allowSame: !countIncludePad });
  const pooled = avgPool(placed.x, { ...window, padding: placed.padding });
  if (countIncludePad || placed.x === x) return pooled;
  const shares = shareInside(x, window, pooled);
  return mul(pooled, cast(shares, x.dtype));
}

/** For each window, all of its pixels over those inside the image: [H', W', 1]. */
function shareInside(x: Tensor, window: { kernel: number; stride: number; padding: number }, pooled: Tensor): Tensor {
  const { kernel, stride } = window;
  const inside = ([1, 2] as const).map((axis) => {
    const length = knownDimension(x.shape, axis);
    const { before } = axisPadding(length, window, axis === 1 ? 0 : 1);
    return Array.from({ length: knownDimension(pooled.shape, axis) }, (_, position) => {
      const first = position * stride - before;
      return Math.min(first + kernel, length) - Math.max(first, 0);
    });
  });
  const [rows = [], columns = []] = inside;
  const shares = rows.flatMap((height) => columns.map((width) => kernel ** 2 / (height * width)));
  return floatConstant(x.graph, shares, [rows.length, columns.length, 1]);
}

/** torch.nn.AdaptiveAvgPool2d(1): [N, H, W, C] -> [N, C], or [N, 1, 1, C] with `keepDims`. */
export function globalAveragePool(x: Tensor, keepDims = false): Tensor {
  return mean(x, [1, 2], keepDims);
}

/** torch.nn.AdaptiveAvgPool2d(size): [N, H, W, C] -> [N, size, size, C]. */
export function adaptiveAveragePool(x: Tensor, size: number): Tensor {
  const [height, width] = [knownDimension(x.shape, 1), knownDimension(x.shape, 2)];
  if (height === size && width === size) return x;
  const stride = height / size;
  if (height === width && Number.isInteger(stride)) return avgPool2d(x, { kernel: stride, stride });
  return averageBins(averageBins(x, 1, size), 2, size);
}

/** Averages one axis over PyTorch's bins: bin i reaches from floor(i L / size) to ceil((i + 1) L / size). */
function averageBins(x: Tensor, axis: number, size: number): Tensor {
  const length = knownDimension(x.shape, axis);
  const weights = cast(binWeights(x.graph, length, size), x.dtype);
  const order = [axis, ...[0, 1, 2, 3].filter((other) => other !== axis)];
  const front = transpose(x, order);
  const averaged = matMul(weights, reshape(front, [length, null]));
  const shape: Dimension[] = [size, ...front.shape.slice(1)];
  return transpose(reshape(averaged, shape), invertPermutation(order));
}

function binWeights(graph: Graph, length: number, size: number): Tensor {
  const weights = Array.from({ length: size }, (_, bin) => {
    const [start, end] = [Math.floor((bin * length) / size), Math.ceil(((bin + 1) * length) / size)];
    return Array.from({ length }, (__, i) => (i >= start && i < end ? 1 / (end - start) : 0));
  });
  return floatConstant(graph, weights.flat(), [size, length]);
}

/** torch.flatten(x, 1) of PyTorch's [N, C, H, W]: [N, H, W, C] -> [N, C H W]. */
export function flatten(x: Tensor): Tensor {
  const [height, width, channels] = [1, 2, 3].map((axis) => knownDimension(x.shape, axis)) as [number, number, number];
  const channelsFirst = height * width === 1 ? x : transpose(x, [0, 3, 1, 2]);
  return reshape(channelsFirst, [null, channels * height * width]);
}

/** torch.cat along the channels. */
export function concatChannels(tensors: readonly Tensor[]): Tensor {
  return concat(tensors, 3);
}

/** torch.chunk along the channels: equal parts. */
export function splitChannels(x: Tensor, parts: number): readonly Tensor[] {
  return split(x, parts, 3);
}
