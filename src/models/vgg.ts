// VGG: Simonyan and Zisserman 2014 (arXiv:1409.1556), configurations A, B, D and E; `_bn`: with batch norm after each
// convolution.

import type { Tensor } from '../graph/graph.js';
import { relu } from '../graph/ops/activation.js';
import type { ModelFamily } from './model.js';
import { adaptiveAveragePool, flatten, type Module, maxPool2d } from './module.js';
import type { Initializer } from './parameters.js';

const stageChannels = [64, 128, 256, 512, 512];
const dropoutRate = 0.5;
const initializer: Initializer = { kind: 'normal', std: 0.01 };

/** `depths`: convolutions in each of the five stages. */
function vgg(depths: readonly number[], { batchNorm = false } = {}) {
  const build = (m: Module, images: Tensor, classes: number): Tensor => {
    const classifier = m.child('classifier');
    let x = flatten(adaptiveAveragePool(extractFeatures(m.child('features'), images), 7));
    for (const name of ['0', '3']) {
      x = relu(classifier.linear(name, x, 4096, { initializer }));
      x = classifier.dropout(x, dropoutRate);
    }
    return classifier.linear('6', x, classes, { initializer });
  };

  function extractFeatures(m: Module, images: Tensor): Tensor {
    let x = images;
    // torchvision numbers convolutions, norms, activations and pools alike.
    let index = 0;
    for (const [stage, channels] of stageChannels.entries()) {
      for (let layer = 0; layer < (depths[stage] ?? 0); layer++) {
        x = m.conv(`${index++}`, x, { channels, kernel: 3, padding: 1, bias: true });
        x = batchNorm ? m.batchNorm(`${index++}`, x, { activation: relu }) : relu(x);
        index++;
      }
      x = maxPool2d(x, { kernel: 2, stride: 2 });
      index++;
    }
    return x;
  }

  return { build, head: 'classifier.6' };
}

export const vggs = {
  vgg11: vgg([1, 1, 2, 2, 2]),
  vgg11_bn: vgg([1, 1, 2, 2, 2], { batchNorm: true }),
  vgg13: vgg([2, 2, 2, 2, 2]),
  vgg13_bn: vgg([2, 2, 2, 2, 2], { batchNorm: true }),
  vgg16: vgg([2, 2, 3, 3, 3]),
  vgg16_bn: vgg([2, 2, 3, 3, 3], { batchNorm: true }),
  vgg19: vgg([2, 2, 4, 4, 4]),
  vgg19_bn: vgg([2, 2, 4, 4, 4], { batchNorm: true }),
} satisfies ModelFamily;
