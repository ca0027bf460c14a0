// Inception v3: Szegedy et al. 2015 (arXiv:1512.00567), without the auxiliary classifier.

import type { Tensor } from '../graph/graph.js';
import { inceptionLayers } from './inception-layers.js';
import type { ModelFamily } from './model.js';
import { avgPool2d, concatChannels, globalAveragePool, type Module, maxPool2d } from './module.js';

const { conv, head } = inceptionLayers({ std: 0.1 });
const dropoutRate = 0.5;

function build(m: Module, images: Tensor, classes: number): Tensor {
  let x = conv(m, 'Conv2d_1a_3x3', images, { channels: 32, kernel: 3, stride: 2 });
  x = conv(m, 'Conv2d_2a_3x3', x, { channels: 32, kernel: 3 });
  x = conv(m, 'Conv2d_2b_3x3', x, { channels: 64, kernel: 3, padding: 1 });
  x = maxPool2d(x, { kernel: 3, stride: 2 });
  x = conv(m, 'Conv2d_3b_1x1', x, { channels: 80, kernel: 1 });
  x = conv(m, 'Conv2d_4a_3x3', x, { channels: 192, kernel: 3 });
  x = maxPool2d(x, { kernel: 3, stride: 2 });

  x = smallBlock(m.child('Mixed_5b'), x, { pooled: 32 });
  x = smallBlock(m.child('Mixed_5c'), x, { pooled: 64 });
  x = smallBlock(m.child('Mixed_5d'), x, { pooled: 64 });
  x = firstReduction(m.child('Mixed_6a'), x);
  x = factorisedBlock(m.child('Mixed_6b'), x, { inner: 128 });
  x = factorisedBlock(m.child('Mixed_6c'), x, { inner: 160 });
  x = factorisedBlock(m.child('Mixed_6d'), x, { inner: 160 });
  x = factorisedBlock(m.child('Mixed_6e'), x, { inner: 192 });
  x = secondReduction(m.child('Mixed_7a'), x);
  x = wideBlock(m.child('Mixed_7b'), x);
  x = wideBlock(m.child('Mixed_7c'), x);
  return head(m, m.dropout(globalAveragePool(x), dropoutRate), classes);
}

/** Figure 5 of the paper: of the two 3x3 filters and one 5x5 filter, 35 x 35 pixels. */
function smallBlock(m: Module, x: Tensor, { pooled }: { pooled: number }): Tensor {
  const point = conv(m, 'branch1x1', x, { channels: 64, kernel: 1 });
  let five = conv(m, 'branch5x5_1', x, { channels: 48, kernel: 1 });
  five = conv(m, 'branch5x5_2', five, { channels: 64, kernel: 5, padding: 2 });
  let double = conv(m, 'branch3x3dbl_1', x, { channels: 64, kernel: 1 });
  double = conv(m, 'branch3x3dbl_2', double, { channels: 96, kernel: 3, padding: 1 });
  double = conv(m, 'branch3x3dbl_3', double, { channels: 96, kernel: 3, padding: 1 });
  return concatChannels([point, five, double, poolBranch(m, x, pooled)]);
}

/** Figure 10: halves the sides, 35 to 17 pixels. */
function firstReduction(m: Module, x: Tensor): Tensor {
  const single = conv(m, 'branch3x3', x, { channels: 384, kernel: 3, stride: 2 });
  let double = conv(m, 'branch3x3dbl_1', x, { channels: 64, kernel: 1 });
  double = conv(m, 'branch3x3dbl_2', double, { channels: 96, kernel: 3, padding: 1 });
  double = conv(m, 'branch3x3dbl_3', double, { channels: 96, kernel: 3, stride: 2 });
  return concatChannels([single, double, maxPool2d(x, { kernel: 3, stride: 2 })]);
}

const row = { kernel: [1, 7], padding: [0, 3] } as const;
const column = { kernel: [7, 1], padding: [3, 0] } as const;

/** Figure 6: 7x7 filters in two steps, 17 x 17 pixels. */
function factorisedBlock(m: Module, x: Tensor, { inner }: { inner: number }): Tensor {
  const point = conv(m, 'branch1x1', x, { channels: 192, kernel: 1 });
  let single = conv(m, 'branch7x7_1', x, { channels: inner, kernel: 1 });
  single = conv(m, 'branch7x7_2', single, { channels: inner, ...row });
  single = conv(m, 'branch7x7_3', single, { channels: 192, ...column });
  let double = conv(m, 'branch7x7dbl_1', x, { channels: inner, kernel: 1 });
  double = conv(m, 'branch7x7dbl_2', double, { channels: inner, ...column });
  double = conv(m, 'branch7x7dbl_3', double, { channels: inner, ...row });
  double = conv(m, 'branch7x7dbl_4', double, { channels: inner, ...column });
  double = conv(m, 'branch7x7dbl_5', double, { channels: 192, ...row });
  return concatChannels([point, single, double, poolBranch(m, x, 192)]);
}

/** As figure 10, with a 7x7 filter before one branch's last: 17 to 8 pixels. */
function secondReduction(m: Module, x: Tensor): Tensor {
  let single = conv(m, 'branch3x3_1', x, { channels: 192, kernel: 1 });
  single = conv(m, 'branch3x3_2', single, { channels: 320, kernel: 3, stride: 2 });
  let seven = conv(m, 'branch7x7x3_1', x, { channels: 192, kernel: 1 });
  seven = conv(m, 'branch7x7x3_2', seven, { channels: 192, ...row });
  seven = conv(m, 'branch7x7x3_3', seven, { channels: 192, ...column });
  seven = conv(m, 'branch7x7x3_4', seven, { channels: 192, kernel: 3, stride: 2 });
  return concatChannels([single, seven, maxPool2d(x, { kernel: 3, stride: 2 })]);
}

/** Figure 7: rows and columns side by side rather than one after the other, 8 x 8 pixels. */
function wideBlock(m: Module, x: Tensor): Tensor {
  const rowAndColumn = (name: string, y: Tensor) => [
    conv(m, `${name}a`, y, { channels: 384, kernel: [1, 3], padding: [0, 1] }),
    conv(m, `${name}b`, y, { channels: 384, kernel: [3, 1], padding: [1, 0] }),
  ];
  const point = conv(m, 'branch1x1', x, { channels: 320, kernel: 1 });
  const single = rowAndColumn('branch3x3_2', conv(m, 'branch3x3_1', x, { channels: 384, kernel: 1 }));
  let double = conv(m, 'branch3x3dbl_1', x, { channels: 448, kernel: 1 });
  double = conv(m, 'branch3x3dbl_2', double, { channels: 384, kernel: 3, padding: 1 });
  return concatChannels([point, ...single, ...rowAndColumn('branch3x3dbl_3', double), poolBranch(m, x, 192)]);
}

function poolBranch(m: Module, x: Tensor, channels: number): Tensor {
  return conv(m, 'branch_pool', avgPool2d(x, { kernel: 3, stride: 1, padding: 1 }), { channels, kernel: 1 });
}

export const inceptions = { inception_v3: { build, head: 'fc' } } satisfies ModelFamily;
