// ShuffleNetV2: Ma et al. 2018 (arXiv:1807.11164).

import type { Tensor } from '../graph/graph.js';
import { relu } from '../graph/ops/activation.js';
import { reshape, transpose } from '../graph/ops/array.js';
import { knownDimension } from '../graph/types.js';
import type { Model, ModelFamily } from './model.js';
import {
  type ConvLayer,
  concatChannels,
  globalAveragePool,
  type Module,
  maxPool2d,
  splitChannels,
  uniformByFanIn,
} from './module.js';

function conv(m: Module, name: string, x: Tensor, layer: ConvLayer & { kernel: number }): Tensor {
  const fanIn = (knownDimension(x.shape, 3) / (layer.groups ?? 1)) * layer.kernel ** 2;
  return m.conv(name, x, { initializer: uniformByFanIn(fanIn), padding: (layer.kernel - 1) / 2, ...layer });
}

/** Half of the channels pass untouched; where the size is halved, both branches see all of them. */
function block(m: Module, x: Tensor, channels: number, stride: number): Tensor {
  const branch = channels / 2;
  const [kept, worked] = stride === 1 ? splitChannels(x, 2) : [shortBranch(m.child('branch1'), x, branch), x];
  if (!kept || !worked) throw new Error('internal: two halves were due');
  return shuffle(concatChannels([kept, longBranch(m.child('branch2'), worked, branch, stride)]));
}

function shortBranch(m: Module, x: Tensor, channels: number): Tensor {
  const inputs = knownDimension(x.shape, 3);
  const y = m.batchNorm('1', conv(m, '0', x, { channels: inputs, kernel: 3, stride: 2, groups: inputs }));
  return m.batchNorm('3', conv(m, '2', y, { channels, kernel: 1 }), { activation: relu });
}

function longBranch(m: Module, x: Tensor, channels: number, stride: number): Tensor {
  let y = m.batchNorm('1', conv(m, '0', x, { channels, kernel: 1 }), { activation: relu });
  y = m.batchNorm('4', conv(m, '3', y, { channels, kernel: 3, stride, groups: channels }));
  return m.batchNorm('6', conv(m, '5', y, { channels, kernel: 1 }), { activation: relu });
}

/** Channels of the two halves take turns. */
function shuffle(x: Tensor): Tensor {
  const [height, width, channels] = [1, 2, 3].map((axis) => knownDimension(x.shape, axis)) as [number, number, number];
  const halves = reshape(x, [null, height * width, 2, channels / 2]);
  return reshape(transpose(halves, [0, 1, 3, 2]), [null, height, width, channels]);
}

/** `widths`: channels of the three stages. */
function shufflenetV2(widths: readonly number[], last: number): Model {
  const depths = [4, 8, 4];
  const build = (m: Module, images: Tensor, classes: number): Tensor => {
    let x = m.batchNorm('conv1.1', conv(m, 'conv1.0', images, { channels: 24, kernel: 3, stride: 2 }), {
      activation: relu,
    });
    x = maxPool2d(x, { kernel: 3, stride: 2, padding: 1 });
    for (const [stage, channels] of widths.entries()) {
      for (let i = 0; i < (depths[stage] ?? 0); i++) {
        x = block(m.child(`stage${stage + 2}`, i), x, channels, i === 0 ? 2 : 1);
      }
    }
    x = m.batchNorm('conv5.1', conv(m, 'conv5.0', x, { channels: last, kernel: 1 }), { activation: relu });
    return m.linear('fc', globalAveragePool(x), classes);
  };
  return { build, head: 'fc' };
}

export const shufflenetV2s = {
  shufflenet_v2_x0_5: shufflenetV2([48, 96, 192], 1024),
  shufflenet_v2_x1_0: shufflenetV2([116, 232, 464], 1024),
  shufflenet_v2_x1_5: shufflenetV2([176, 352, 704], 1024),
  shufflenet_v2_x2_0: shufflenetV2([244, 488, 976], 2048),
} satisfies ModelFamily;
