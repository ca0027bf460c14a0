// GoogLeNet: Szegedy et al. 2014 (arXiv:1409.4842) in torchvision's form: with batch norm, with 3x3 filters where the
// paper has 5x5, and without the auxiliary classifiers, which only ever help to train from scratch.

import type { Tensor } from '../graph/graph.js';
import { inceptionLayers } from './inception-layers.js';
import type { ModelFamily } from './model.js';
import { concatChannels, globalAveragePool, type Module, maxPool2d } from './module.js';

const { conv, head } = inceptionLayers({ std: 0.01 });
const dropoutRate = 0.2;

/** Channels of a block's four branches; the second and the third reduce them first. */
type Channels = readonly [
  point: number,
  reduced3x3: number,
  full3x3: number,
  reduced5x5: number,
  full5x5: number,
  pooled: number,
];

const stages: readonly (readonly [name: string, Channels])[][] = [
  [
    ['inception3a', [64, 96, 128, 16, 32, 32]],
    ['inception3b', [128, 128, 192, 32, 96, 64]],
  ],
  [
    ['inception4a', [192, 96, 208, 16, 48, 64]],
    ['inception4b', [160, 112, 224, 24, 64, 64]],
    ['inception4c', [128, 128, 256, 24, 64, 64]],
    ['inception4d', [112, 144, 288, 32, 64, 64]],
    ['inception4e', [256, 160, 320, 32, 128, 128]],
  ],
  [
    ['inception5a', [256, 160, 320, 32, 128, 128]],
    ['inception5b', [384, 192, 384, 48, 128, 128]],
  ],
];

function build(m: Module, images: Tensor, classes: number): Tensor {
  let x = conv(m, 'conv1', images, { channels: 64, kernel: 7, stride: 2, padding: 3 });
  x = maxPool2d(x, { kernel: 3, stride: 2, ceilMode: true });
  x = conv(m, 'conv2', x, { channels: 64, kernel: 1 });
  x = conv(m, 'conv3', x, { channels: 192, kernel: 3, padding: 1 });
  for (const [index, blocks] of stages.entries()) {
    x = maxPool2d(x, { kernel: index === 2 ? 2 : 3, stride: 2, ceilMode: true });
    for (const [name, channels] of blocks) x = inception(m.child(name), x, channels);
  }
  return head(m, m.dropout(globalAveragePool(x), dropoutRate), classes);
}

function inception(m: Module, x: Tensor, channels: Channels): Tensor {
  const [point, reduced3x3, full3x3, reduced5x5, full5x5, pooled] = channels;
  const reduceThenFilter = (branch: Module, reduced: number, full: number) =>
    conv(branch, '1', conv(branch, '0', x, { channels: reduced, kernel: 1 }), {
      channels: full,
      kernel: 3,
      padding: 1,
    });
  return concatChannels([
    conv(m, 'branch1', x, { channels: point, kernel: 1 }),
    reduceThenFilter(m.child('branch2'), reduced3x3, full3x3),
    reduceThenFilter(m.child('branch3'), reduced5x5, full5x5),
    conv(m, 'branch4.1', maxPool2d(x, { kernel: 3, stride: 1, padding: 1 }), { channels: pooled, kernel: 1 }),
  ]);
}

export const googlenets = { googlenet: { build, head: 'fc' } } satisfies ModelFamily;
