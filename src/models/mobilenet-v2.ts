// MobileNetV2: Sandler et al. 2018 (arXiv:1801.04381).

import type { Tensor } from '../graph/graph.js';
import { relu6 } from '../graph/ops/activation.js';
import { knownDimension } from '../graph/types.js';
import { convNormActivation } from './conv-norm-activation.js';
import type { ModelFamily } from './model.js';
import { globalAveragePool, type Module } from './module.js';

/** Table 2 of the paper: expansion, channels, blocks and the first block's stride. */
const stages = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/** Widened by a 1x1 convolution, filtered channel by channel, and narrowed again without an activation. */
function invertedResidual(
  m: Module,
  x: Tensor,
  options: { expansion: number; channels: number; stride: number },
): Tensor {
  const { expansion, channels, stride } = options;
  const inputs = knownDimension(x.shape, 3);
  const width = inputs * expansion;
  let layer = 0;
  let y = x;
  if (expansion !== 1) {
    y = convNormActivation(m.child('conv', layer++), y, { channels: width, kernel: 1, activation: relu6 });
  }
  const depthwise = { channels: width, kernel: 3, stride, groups: width, activation: relu6 };
  y = convNormActivation(m.child('conv', layer++), y, depthwise);
  y = m.conv(`conv.${layer++}`, y, { channels, kernel: 1 });
  const isResidual = stride === 1 && inputs === channels;
  return m.batchNorm(`conv.${layer}`, y, isResidual ? { add: () => x } : {});
}

function mobilenetV2(m: Module, images: Tensor, classes: number): Tensor {
  const features = m.child('features');
  let x = convNormActivation(features.child(0), images, { channels: 32, kernel: 3, stride: 2, activation: relu6 });
  let index = 1;
  for (const [expansion, channels, blocks, firstStride] of stages) {
    for (let block = 0; block < blocks; block++) {
      const stride = block === 0 ? firstStride : 1;
      x = invertedResidual(features.child(index++), x, { expansion, channels, stride });
    }
  }
  x = convNormActivation(features.child(index), x, { channels: 1280, kernel: 1, activation: relu6 });
  x = m.dropout(globalAveragePool(x), 0.2);
  return m.linear('classifier.1', x, classes, { initializer: { kind: 'normal', std: 0.01 } });
}

export const mobilenetV2s = {
  mobilenet_v2: { build: mobilenetV2, head: 'classifier.1' },
} satisfies ModelFamily;
