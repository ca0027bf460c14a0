// MnasNet-B1: Tan et al. 2019 (arXiv:1807.11626).

import type { Tensor } from '../graph/graph.js';
import { relu } from '../graph/ops/activation.js';
import { add } from '../graph/ops/math.js';
import { knownDimension } from '../graph/types.js';
import { roundChannels } from './conv-norm-activation.js';
import type { Model, ModelFamily } from './model.js';
import { globalAveragePool, type Module } from './module.js';

/** Figure 7 of the paper: kernel, the first block's stride, expansion, channels, blocks. */
const stages = [
  [3, 2, 3, 24, 3],
  [5, 2, 3, 40, 3],
  [5, 2, 6, 80, 3],
  [3, 1, 6, 96, 2],
  [5, 2, 6, 192, 4],
  [3, 1, 6, 320, 1],
] as const;

/** TensorFlow's decay of 0.9997, as PyTorch counts it. */
const norm = { momentum: 1 - 0.9997 };

interface BlockOptions {
  kernel: number;
  stride: number;
  expansion: number;
  channels: number;
}

function invertedResidual(m: Module, x: Tensor, { kernel, stride, expansion, channels }: BlockOptions): Tensor {
  const inputs = knownDimension(x.shape, 3);
  const width = inputs * expansion;
  const depthwise = { channels: width, kernel, stride, groups: width, padding: (kernel - 1) / 2 };
  let y = m.batchNorm('layers.1', m.conv('layers.0', x, { channels: width, kernel: 1 }), { ...norm, activation: relu });
  y = m.batchNorm('layers.4', m.conv('layers.3', y, depthwise), { ...norm, activation: relu });
  y = m.batchNorm('layers.7', m.conv('layers.6', y, { channels, kernel: 1 }), norm);
  return stride === 1 && inputs === channels ? add(y, x) : y;
}

/** `width` scales all channels but the last. */
function mnasnet(width: number): Model {
  const scaled = (channels: number) => roundChannels(channels * width);
  const build = (m: Module, images: Tensor, classes: number): Tensor => {
    const layers = m.child('layers');
    const stem = scaled(32);
    let x = layers.conv('0', images, { channels: stem, kernel: 3, stride: 2, padding: 1 });
    x = layers.batchNorm('1', x, { ...norm, activation: relu });
    x = layers.conv('3', x, { channels: stem, kernel: 3, padding: 1, groups: stem });
    x = layers.batchNorm('4', x, { ...norm, activation: relu });
    x = layers.batchNorm('7', layers.conv('6', x, { channels: scaled(16), kernel: 1 }), norm);
    for (const [index, [kernel, firstStride, expansion, channels, blocks]] of stages.entries()) {
      for (let i = 0; i < blocks; i++) {
        const options = { kernel, expansion, channels: scaled(channels), stride: i === 0 ? firstStride : 1 };
        x = invertedResidual(layers.child(8 + index, i), x, options);
      }
    }
    x = layers.batchNorm('15', layers.conv('14', x, { channels: 1280, kernel: 1 }), { ...norm, activation: relu });
    x = m.dropout(globalAveragePool(x), 0.2);
    return m.linear('classifier.1', x, classes, { initializer: { kind: 'uniform', bound: Math.sqrt(3 / classes) } });
  };
  return { build, head: 'classifier.1' };
}

export const mnasnets = {
  mnasnet0_5: mnasnet(0.5),
  mnasnet0_75: mnasnet(0.75),
  mnasnet1_0: mnasnet(1),
  mnasnet1_3: mnasnet(1.3),
} satisfies ModelFamily;
