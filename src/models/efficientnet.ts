// EfficientNet: Tan and Le 2019 (arXiv:1905.11946); EfficientNetV2: Tan and Le 2021 (arXiv:2104.00298).

import type { Tensor } from '../graph/graph.js';
import { silu } from '../graph/ops/activation.js';
import { add } from '../graph/ops/math.js';
import { knownDimension } from '../graph/types.js';
import {
  type BatchNorm,
  convNormActivation,
  convNormActivationWithMeans,
  roundChannels,
  squeezeExcitation,
} from './conv-norm-activation.js';
import type { Model, ModelFamily } from './model.js';
import { globalAveragePool, type Module } from './module.js';

interface BlockOptions {
  expansion: number;
  kernel: number;
  stride: number;
  channels: number;
  norm: BatchNorm;
  /** Probability that the block is skipped in training. */
  dropRate: number;
}

type Block = (m: Module, x: Tensor, options: BlockOptions) => Tensor;

/** MobileNetV2's inverted residual with squeeze and excitation. */
function mbConv(m: Module, x: Tensor, options: BlockOptions): Tensor {
  const { expansion, kernel, stride, channels, norm } = options;
  const inputs = knownDimension(x.shape, 3);
  const width = roundChannels(inputs * expansion);
  let layer = 0;
  const next = () => m.child('block', layer++);
  let y = x;
  if (width !== inputs) y = convNormActivation(next(), y, { channels: width, kernel: 1, norm, activation: silu });
  const depthwise = { channels: width, kernel, stride, groups: width };
  const filtered = convNormActivationWithMeans(next(), y, { ...depthwise, norm, activation: silu });
  y = squeezeExcitation(next(), filtered, { squeeze: Math.max(1, Math.floor(inputs / 4)), activation: silu });
  y = convNormActivation(next(), y, { channels, kernel: 1, norm });
  return residual(m, x, y, options);
}

/** The same with one full convolution in place of the first two, and no squeeze and excitation. */
function fusedMbConv(m: Module, x: Tensor, options: BlockOptions): Tensor {
  const { expansion, kernel, stride, channels, norm } = options;
  const inputs = knownDimension(x.shape, 3);
  const width = roundChannels(inputs * expansion);
  const expand = { channels: width === inputs ? channels : width, kernel, stride, norm, activation: silu };
  let y = convNormActivation(m.child('block', 0), x, expand);
  if (width !== inputs) y = convNormActivation(m.child('block', 1), y, { channels, kernel: 1, norm });
  return residual(m, x, y, options);
}

function residual(m: Module, x: Tensor, y: Tensor, { stride, channels, dropRate }: BlockOptions): Tensor {
  if (stride !== 1 || knownDimension(x.shape, 3) !== channels) return y;
  return add(m.stochasticDepth(y, dropRate), x);
}

interface Stage {
  block: Block;
  expansion: number;
  kernel: number;
  /** Of the first block. */
  stride: number;
  channels: number;
  blocks: number;
}

interface Network {
  stem: number;
  stages: readonly Stage[];
  /** Channels before the classifier. */
  last: number;
  dropout: number;
  norm?: BatchNorm;
}

/** The last block is skipped nearly this often, earlier ones proportionally less. */
const stochasticDepth = 0.2;

function efficientnet({ stem, stages, last, dropout, norm = {} }: Network): Model {
  const total = stages.reduce((sum, { blocks }) => sum + blocks, 0);
  const build = (m: Module, images: Tensor, classes: number): Tensor => {
    const features = m.child('features');
    const first = { channels: stem, kernel: 3, stride: 2, norm, activation: silu };
    let x = convNormActivation(features.child(0), images, first);
    let done = 0;
    for (const [index, { block, blocks, ...stage }] of stages.entries()) {
      for (let i = 0; i < blocks; i++) {
        const dropRate = (stochasticDepth * done++) / total;
        const options = { ...stage, stride: i === 0 ? stage.stride : 1, norm, dropRate };
        x = block(features.child(index + 1, i), x, options);
      }
    }
    x = convNormActivation(features.child(stages.length + 1), x, { channels: last, kernel: 1, norm, activation: silu });
    x = m.dropout(globalAveragePool(x), dropout);
    return m.linear('classifier.1', x, classes, { initializer: { kind: 'uniform', bound: 1 / Math.sqrt(classes) } });
  };
  return { build, head: 'classifier.1' };
}

type Row = readonly [expansion: number, kernel: number, stride: number, channels: number, blocks: number];

const stagesOf = (block: Block, rows: readonly Row[]): Stage[] =>
  rows.map(([expansion, kernel, stride, channels, blocks]) => ({ block, expansion, kernel, stride, channels, blocks }));

/** Table 1 of the first paper. */
export const baseline: readonly Row[] = [
  [1, 3, 1, 16, 1],
  [6, 3, 2, 24, 2],
  [6, 5, 2, 40, 2],
  [6, 3, 2, 80, 3],
  [6, 5, 1, 112, 3],
  [6, 5, 2, 192, 4],
  [6, 3, 1, 320, 1],
];

/** The baseline with more channels and more blocks. */
function scaled(width: number, depth: number, dropout: number, norm: BatchNorm = {}): Model {
  const rows = baseline.map(
    ([expansion, kernel, stride, channels, blocks]): Row => [
      ...([expansion, kernel, stride] as const),
      roundChannels(channels * width),
      Math.ceil(blocks * depth),
    ],
  );
  const last = 4 * roundChannels(320 * width);
  return efficientnet({ stem: roundChannels(32 * width), stages: stagesOf(mbConv, rows), last, dropout, norm });
}

/** Fused blocks first, then the others. */
function version2(fused: readonly Row[], plain: readonly Row[], dropout: number): Model {
  const stages = [...stagesOf(fusedMbConv, fused), ...stagesOf(mbConv, plain)];
  return efficientnet({ stem: fused[0]?.[3] ?? 0, stages, last: 1280, dropout, norm: { epsilon: 1e-3 } });
}

const large: BatchNorm = { epsilon: 1e-3, momentum: 0.01 };

export const efficientnets = {
  efficientnet_b0: scaled(1, 1, 0.2),
  efficientnet_b1: scaled(1, 1.1, 0.2),
  efficientnet_b2: scaled(1.1, 1.2, 0.3),
  efficientnet_b3: scaled(1.2, 1.4, 0.3),
  efficientnet_b4: scaled(1.4, 1.8, 0.4),
  efficientnet_b5: scaled(1.6, 2.2, 0.4, large),
  efficientnet_b6: scaled(1.8, 2.6, 0.5, large),
  efficientnet_b7: scaled(2, 3.1, 0.5, large),
  efficientnet_v2_s: version2(
    [
      [1, 3, 1, 24, 2],
      [4, 3, 2, 48, 4],
      [4, 3, 2, 64, 4],
    ],
    [
      [4, 3, 2, 128, 6],
      [6, 3, 1, 160, 9],
      [6, 3, 2, 256, 15],
    ],
    0.2,
  ),
  efficientnet_v2_m: version2(
    [
      [1, 3, 1, 24, 3],
      [4, 3, 2, 48, 5],
      [4, 3, 2, 80, 5],
    ],
    [
      [4, 3, 2, 160, 7],
      [6, 3, 1, 176, 14],
      [6, 3, 2, 304, 18],
      [6, 3, 1, 512, 5],
    ],
    0.3,
  ),
  efficientnet_v2_l: version2(
    [
      [1, 3, 1, 32, 4],
      [4, 3, 2, 64, 7],
      [4, 3, 2, 96, 7],
    ],
    [
      [4, 3, 2, 192, 10],
      [6, 3, 1, 224, 19],
      [6, 3, 2, 384, 25],
      [6, 3, 1, 640, 7],
    ],
    0.4,
  ),
} satisfies ModelFamily;
