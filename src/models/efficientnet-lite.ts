// EfficientNet-Lite, Google's EfficientNets for small devices (2020): no squeeze and excitation, ReLU6, and neither the
// stem, the head nor the depth of the first and last stage grow. Names and shapes are those of timm's
// tf_efficientnet_lite0 to 2; the weights come from TensorFlow, so strides pad as TensorFlow pads.

import type { Tensor } from '../graph/graph.js';
import { relu6 } from '../graph/ops/activation.js';
import { add } from '../graph/ops/math.js';
import { knownDimension } from '../graph/types.js';
import { roundChannels } from './conv-norm-activation.js';
import { baseline } from './efficientnet.js';
import type { Model, ModelFamily } from './model.js';
import { type ConvLayer, globalAveragePool, type Module } from './module.js';

const norm = { epsilon: 1e-3 };

interface BlockOptions {
  expansion: number;
  kernel: number;
  stride: number;
  channels: number;
}

function conv(m: Module, name: string, x: Tensor, layer: ConvLayer & { kernel: number }): Tensor {
  const fanOut = (layer.channels * layer.kernel ** 2) / (layer.groups ?? 1);
  const initializer = { kind: 'normal', std: Math.sqrt(2 / fanOut) } as const;
  return m.conv(name, x, { padding: 'same', initializer, ...layer });
}

function block(m: Module, x: Tensor, options: BlockOptions): Tensor {
  const { stride, channels } = options;
  const y = options.expansion === 1 ? separable(m, x, options) : invertedResidual(m, x, options);
  return stride === 1 && knownDimension(x.shape, 3) === channels ? add(y, x) : y;
}

function separable(m: Module, x: Tensor, { kernel, stride, channels }: BlockOptions): Tensor {
  const inputs = knownDimension(x.shape, 3);
  let y = conv(m, 'conv_dw', x, { channels: inputs, kernel, stride, groups: inputs });
  y = m.batchNorm('bn1', y, { ...norm, activation: relu6 });
  y = conv(m, 'conv_pw', y, { channels, kernel: 1 });
  return m.batchNorm('bn2', y, norm);
}

function invertedResidual(m: Module, x: Tensor, { expansion, kernel, stride, channels }: BlockOptions): Tensor {
  const width = roundChannels(knownDimension(x.shape, 3) * expansion);
  let y = conv(m, 'conv_pw', x, { channels: width, kernel: 1 });
  y = m.batchNorm('bn1', y, { ...norm, activation: relu6 });
  y = conv(m, 'conv_dw', y, { channels: width, kernel, stride, groups: width });
  y = m.batchNorm('bn2', y, { ...norm, activation: relu6 });
  y = conv(m, 'conv_pwl', y, { channels, kernel: 1 });
  return m.batchNorm('bn3', y, norm);
}

function lite(width: number, depth: number, dropout: number): Model {
  const build = (m: Module, images: Tensor, classes: number): Tensor => {
    let x = conv(m, 'conv_stem', images, { channels: 32, kernel: 3, stride: 2 });
    x = m.batchNorm('bn1', x, { ...norm, activation: relu6 });
    for (const [index, [expansion, kernel, firstStride, channels, blocks]] of baseline.entries()) {
      const isEnd = index === 0 || index === baseline.length - 1;
      const options = { expansion, kernel, channels: roundChannels(channels * width) };
      for (let i = 0; i < (isEnd ? blocks : Math.ceil(blocks * depth)); i++) {
        x = block(m.child('blocks', index, i), x, { ...options, stride: i === 0 ? firstStride : 1 });
      }
    }
    x = conv(m, 'conv_head', x, { channels: 1280, kernel: 1 });
    x = m.batchNorm('bn2', x, { ...norm, activation: relu6 });
    x = m.dropout(globalAveragePool(x), dropout);
    return m.linear('classifier', x, classes, { initializer: { kind: 'uniform', bound: 1 / Math.sqrt(classes) } });
  };
  return { build, head: 'classifier' };
}

export const efficientnetLites = {
  efficientnet_lite0: lite(1, 1, 0.2),
  efficientnet_lite1: lite(1, 1.1, 0.2),
  efficientnet_lite2: lite(1.1, 1.2, 0.3),
} satisfies ModelFamily;
