// ConvNeXt: Liu et al. 2022 (arXiv:2201.03545).

import type { Tensor } from '../graph/graph.js';
import { gelu } from '../graph/ops/gelu.js';
import { add } from '../graph/ops/math.js';
import { knownDimension } from '../graph/types.js';
import type { Model, ModelFamily } from './model.js';
import { globalAveragePool, type Module } from './module.js';
import type { Initializer } from './parameters.js';

const initializer: Initializer = { kind: 'truncated-normal', std: 0.02 };
const epsilon = 1e-6;

function block(m: Module, x: Tensor, dropRate: number): Tensor {
  const channels = knownDimension(x.shape, 3);
  const scale = m.parameter('layer_scale', [channels, 1, 1], { kind: 'constant', value: 1e-6 });
  const depthwise = { channels, kernel: 7, padding: 3, groups: channels, bias: true, initializer };
  let y = m.conv('block.0', x, depthwise);
  y = m.layerNorm('block.2', y, { epsilon });
  y = gelu(m.linear('block.3', y, 4 * channels, { initializer }));
  y = m.linear('block.5', y, channels, { initializer });
  return add(m.stochasticDepth(y, dropRate, { scale }), x);
}

interface Network {
  /** Blocks in each of the four stages. */
  depths: readonly number[];
  /** Channels of the first stage; each further one has twice as many. */
  width: number;
  /** How often the last block is skipped in training; the first never is, those between proportionally. */
  stochasticDepth: number;
}

function convnext({ depths, width, stochasticDepth }: Network): Model {
  const last = depths.reduce((total, depth) => total + depth, 0) - 1;
  const build = (m: Module, images: Tensor, classes: number): Tensor => {
    const stem = { channels: width, kernel: 4, stride: 4, bias: true, initializer };
    let x = m.conv('features.0.0', images, stem);
    x = m.layerNorm('features.0.1', x, { epsilon });
    let done = 0;
    for (const [stage, depth] of depths.entries()) {
      if (stage > 0) x = halve(m.child('features', 2 * stage), x);
      for (let i = 0; i < depth; i++) {
        x = block(m.child('features', 2 * stage + 1, i), x, (stochasticDepth * done++) / last);
      }
    }
    x = m.layerNorm('classifier.0', globalAveragePool(x), { epsilon });
    return m.linear('classifier.2', x, classes, { initializer });
  };
  return { build, head: 'classifier.2' };
}

/** Between stages: half the size, twice the channels. */
function halve(m: Module, x: Tensor): Tensor {
  const channels = 2 * knownDimension(x.shape, 3);
  return m.conv('1', m.layerNorm('0', x, { epsilon }), { channels, kernel: 2, stride: 2, bias: true, initializer });
}

export const convnexts = {
  convnext_tiny: convnext({ depths: [3, 3, 9, 3], width: 96, stochasticDepth: 0.1 }),
  convnext_small: convnext({ depths: [3, 3, 27, 3], width: 96, stochasticDepth: 0.4 }),
  convnext_base: convnext({ depths: [3, 3, 27, 3], width: 128, stochasticDepth: 0.5 }),
  convnext_large: convnext({ depths: [3, 3, 27, 3], width: 192, stochasticDepth: 0.5 }),
} satisfies ModelFamily;
