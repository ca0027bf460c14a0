// SqueezeNet: Iandola et al. 2016 (arXiv:1602.07360). Version 1.1 is the authors' later one, with smaller filters first
// and pools earlier: as good for less than half of the work.

import type { Tensor } from '../graph/graph.js';
import { relu } from '../graph/ops/activation.js';
import { knownDimension } from '../graph/types.js';
import type { ModelFamily } from './model.js';
import { type ConvLayer, concatChannels, globalAveragePool, type Module, maxPool2d } from './module.js';
import type { Initializer } from './parameters.js';

const dropoutRate = 0.5;

/** A fire module's channels: after the squeeze, and after each of the two expansions; or a pool. */
type Stage = readonly [squeeze: number, expand: number] | 'pool';

function squeezenet(stem: { channels: number; kernel: number }, stages: readonly Stage[]) {
  const build = (m: Module, images: Tensor, classes: number): Tensor => {
    const features = m.child('features');
    let x = conv(features, '0', images, { ...stem, stride: 2 });
    // The first convolution and its activation are numbers 0 and 1.
    for (const [position, stage] of stages.entries()) {
      x = stage === 'pool' ? pool(x) : fire(features.child(position + 2), x, stage);
    }
    const classifier = m.child('classifier');
    const initializer: Initializer = { kind: 'normal', std: 0.01 };
    x = classifier.dropout(x, dropoutRate);
    x = classifier.conv('1', x, { channels: classes, kernel: 1, bias: true, initializer });
    return globalAveragePool(relu(x));
  };
  return { build, head: 'classifier.1' };
}

function fire(m: Module, x: Tensor, [squeeze, expand]: readonly [number, number]): Tensor {
  const squeezed = conv(m, 'squeeze', x, { channels: squeeze, kernel: 1 });
  return concatChannels([
    conv(m, 'expand1x1', squeezed, { channels: expand, kernel: 1 }),
    conv(m, 'expand3x3', squeezed, { channels: expand, kernel: 3, padding: 1 }),
  ]);
}

const pool = (x: Tensor) => maxPool2d(x, { kernel: 3, stride: 2, ceilMode: true });

/** Weights are drawn as He et al. 2015 (arXiv:1502.01852), uniform and by fan-in. */
function conv(m: Module, name: string, x: Tensor, layer: ConvLayer & { kernel: number }): Tensor {
  const fanIn = knownDimension(x.shape, 3) * layer.kernel ** 2;
  const initializer: Initializer = { kind: 'uniform', bound: Math.sqrt(6 / fanIn) };
  return relu(m.conv(name, x, { ...layer, bias: true, initializer }));
}

export const squeezenets = {
  squeezenet1_0: squeezenet({ channels: 96, kernel: 7 }, [
    'pool',
    [16, 64],
    [16, 64],
    [32, 128],
    'pool',
    [32, 128],
    [48, 192],
    [48, 192],
    [64, 256],
    'pool',
    [64, 256],
  ]),
  squeezenet1_1: squeezenet({ channels: 64, kernel: 3 }, [
    'pool',
    [16, 64],
    [16, 64],
    'pool',
    [32, 128],
    [32, 128],
    'pool',
    [48, 192],
    [48, 192],
    [64, 256],
    [64, 256],
  ]),
} satisfies ModelFamily;
