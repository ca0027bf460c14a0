// What GoogLeNet and Inception v3 have in common.

import type { Tensor } from '../graph/graph.js';
import { relu } from '../graph/ops/activation.js';
import { knownDimension } from '../graph/types.js';
import { type ConvLayer, type Module, uniformByFanIn } from './module.js';

/** A network's convolutions and last layer; weights are drawn from a truncated normal distribution. */
export function inceptionLayers({ std }: { std: number }) {
  const initializer = { kind: 'truncated-normal', std } as const;
  return {
    /** Convolution, batch norm and activation. */
    conv(m: Module, name: string, x: Tensor, layer: ConvLayer): Tensor {
      const unit = m.child(name);
      return unit.batchNorm('bn', unit.conv('conv', x, { ...layer, initializer }), { epsilon: 1e-3, activation: relu });
    },
    head(m: Module, x: Tensor, classes: number): Tensor {
      const biasInitializer = uniformByFanIn(knownDimension(x.shape, 1));
      return m.linear('fc', x, classes, { initializer, biasInitializer });
    },
  };
}
