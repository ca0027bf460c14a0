// Densely connected networks: Huang et al. 2016 (arXiv:1608.06993), with bottlenecks and compression (DenseNet-BC).

import type { Tensor } from '../graph/graph.js';
import { relu } from '../graph/ops/activation.js';
import { knownDimension } from '../graph/types.js';
import type { ModelFamily } from './model.js';
import {
  avgPool2d,
  type ConvLayer,
  concatChannels,
  globalAveragePool,
  type Module,
  maxPool2d,
  uniformByFanIn,
} from './module.js';
import type { Initializer } from './parameters.js';

/** `depths`: layers in each of the four blocks. `growth`: channels that each layer adds. */
function densenet(depths: readonly number[], { growth = 32, stem = 64 } = {}) {
  const build = (m: Module, images: Tensor, classes: number): Tensor => {
    const features = m.child('features');
    let x = conv(features, 'conv0', images, { channels: stem, kernel: 7, stride: 2, padding: 3 });
    x = features.batchNorm('norm0', x, { activation: relu });
    x = maxPool2d(x, { kernel: 3, stride: 2, padding: 1 });
    for (const [index, depth] of depths.entries()) {
      const block = features.child(`denseblock${index + 1}`);
      for (let layer = 0; layer < depth; layer++) {
        x = concatChannels([x, denseLayer(block.child(`denselayer${layer + 1}`), x, growth)]);
      }
      if (index < depths.length - 1) x = transition(features.child(`transition${index + 1}`), x);
    }
    x = globalAveragePool(features.batchNorm('norm5', x, { activation: relu }));
    return m.linear('classifier', x, classes, { initializer: uniformByFanIn(knownDimension(x.shape, 1)) });
  };
  return { build, head: 'classifier' };
}

/** What one layer adds to all that the layers before it have found. */
function denseLayer(m: Module, x: Tensor, growth: number): Tensor {
  let y = m.batchNorm('norm1', x, { activation: relu });
  y = conv(m, 'conv1', y, { channels: 4 * growth, kernel: 1 });
  y = m.batchNorm('norm2', y, { activation: relu });
  return conv(m, 'conv2', y, { channels: growth, kernel: 3, padding: 1 });
}

/** Halves the channels and the sides. */
function transition(m: Module, x: Tensor): Tensor {
  const channels = Math.trunc(knownDimension(x.shape, 3) / 2);
  const y = conv(m, 'conv', m.batchNorm('norm', x, { activation: relu }), { channels, kernel: 1 });
  return avgPool2d(y, { kernel: 2, stride: 2 });
}

/** Weights are drawn as He et al. 2015 (arXiv:1502.01852), by fan-in. */
function conv(m: Module, name: string, x: Tensor, layer: ConvLayer & { kernel: number }): Tensor {
  const fanIn = knownDimension(x.shape, 3) * layer.kernel ** 2;
  const initializer: Initializer = { kind: 'normal', std: Math.sqrt(2 / fanIn) };
  return m.conv(name, x, { ...layer, initializer });
}

export const densenets = {
  densenet121: densenet([6, 12, 24, 16]),
  densenet161: densenet([6, 12, 36, 24], { growth: 48, stem: 96 }),
  densenet169: densenet([6, 12, 32, 32]),
  densenet201: densenet([6, 12, 48, 32]),
} satisfies ModelFamily;
