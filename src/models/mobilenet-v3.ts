// MobileNetV3: Howard et al. 2019 (arXiv:1905.02244).

import type { Tensor } from '../graph/graph.js';
import { hardSigmoid, hardSwish, relu } from '../graph/ops/activation.js';
import { knownDimension } from '../graph/types.js';
import {
  convNormActivation,
  convNormActivationWithMeans,
  roundChannels,
  squeezeExcitation,
} from './conv-norm-activation.js';
import type { Model, ModelFamily } from './model.js';
import { globalAveragePool, type Module } from './module.js';
import type { Initializer } from './parameters.js';

/** A row of tables 1 and 2 of the paper: SE is squeeze and excitation, RE is ReLU and HS hard swish. */
type Row = readonly [
  kernel: number,
  width: number,
  channels: number,
  squeeze: 'SE' | '-',
  activation: 'RE' | 'HS',
  stride: number,
];

const norm = { epsilon: 1e-3, momentum: 0.01 };

function block(m: Module, x: Tensor, [kernel, width, channels, squeeze, nonlinearity, stride]: Row): Tensor {
  const inputs = knownDimension(x.shape, 3);
  const activation = nonlinearity === 'HS' ? hardSwish : relu;
  let layer = 0;
  const next = () => m.child('block', layer++);
  let y = x;
  if (width !== inputs) y = convNormActivation(next(), y, { channels: width, kernel: 1, norm, activation });
  const depthwise = { channels: width, kernel, stride, groups: width, norm, activation };
  if (squeeze === 'SE') {
    const filtered = convNormActivationWithMeans(next(), y, depthwise);
    y = squeezeExcitation(next(), filtered, { squeeze: roundChannels(Math.floor(width / 4)), gate: hardSigmoid });
  } else {
    y = convNormActivation(next(), y, depthwise);
  }
  const isResidual = stride === 1 && inputs === channels;
  return convNormActivation(next(), y, { channels, kernel: 1, norm, ...(isResidual && { add: () => x }) });
}

function mobilenetV3(rows: readonly Row[], hidden: number): Model {
  const initializer: Initializer = { kind: 'normal', std: 0.01 };
  const build = (m: Module, images: Tensor, classes: number): Tensor => {
    const features = m.child('features');
    const stem = { channels: 16, kernel: 3, stride: 2, norm, activation: hardSwish };
    let x = convNormActivation(features.child(0), images, stem);
    for (const [index, row] of rows.entries()) x = block(features.child(index + 1), x, row);
    const channels = 6 * knownDimension(x.shape, 3);
    x = convNormActivation(features.child(rows.length + 1), x, { channels, kernel: 1, norm, activation: hardSwish });
    x = hardSwish(m.linear('classifier.0', globalAveragePool(x), hidden, { initializer }));
    return m.linear('classifier.3', m.dropout(x, 0.2), classes, { initializer });
  };
  return { build, head: 'classifier.3' };
}

const large: readonly Row[] = [
  [3, 16, 16, '-', 'RE', 1],
  [3, 64, 24, '-', 'RE', 2],
  [3, 72, 24, '-', 'RE', 1],
  [5, 72, 40, 'SE', 'RE', 2],
  [5, 120, 40, 'SE', 'RE', 1],
  [5, 120, 40, 'SE', 'RE', 1],
  [3, 240, 80, '-', 'HS', 2],
  [3, 200, 80, '-', 'HS', 1],
  [3, 184, 80, '-', 'HS', 1],
  [3, 184, 80, '-', 'HS', 1],
  [3, 480, 112, 'SE', 'HS', 1],
  [3, 672, 112, 'SE', 'HS', 1],
  [5, 672, 160, 'SE', 'HS', 2],
  [5, 960, 160, 'SE', 'HS', 1],
  [5, 960, 160, 'SE', 'HS', 1],
];

const small: readonly Row[] = [
  [3, 16, 16, 'SE', 'RE', 2],
  [3, 72, 24, '-', 'RE', 2],
  [3, 88, 24, '-', 'RE', 1],
  [5, 96, 40, 'SE', 'HS', 2],
  [5, 240, 40, 'SE', 'HS', 1],
  [5, 240, 40, 'SE', 'HS', 1],
  [5, 120, 48, 'SE', 'HS', 1],
  [5, 144, 48, 'SE', 'HS', 1],
  [5, 288, 96, 'SE', 'HS', 2],
  [5, 576, 96, 'SE', 'HS', 1],
  [5, 576, 96, 'SE', 'HS', 1],
];

export const mobilenetV3s = {
  mobilenet_v3_large: mobilenetV3(large, 1280),
  mobilenet_v3_small: mobilenetV3(small, 1024),
} satisfies ModelFamily;
