// What most networks since 2018 are made of, under torchvision's module names.

import type { Tensor } from '../graph/graph.js';
import { relu, sigmoid } from '../graph/ops/activation.js';
import { mul } from '../graph/ops/math.js';
import { type ConvLayer, globalAveragePool, type Module } from './module.js';
import type { Initializer } from './parameters.js';

export type Activation = (x: Tensor) => Tensor;

export interface BatchNorm {
  epsilon?: number;
  momentum?: number;
}

export interface ConvNormActivation extends Omit<ConvLayer, 'kernel' | 'bias'> {
  kernel: number;
  /** None: the result of the batch norm as it is. */
  activation?: Activation;
  norm?: BatchNorm;
}

/** A convolution (`0`), padded to keep the size at stride 1, batch norm (`1`) and an activation. */
export function convNormActivation(m: Module, x: Tensor, layer: ConvNormActivation): Tensor {
  const { activation, norm, ...conv } = layer;
  const y = m.batchNorm('1', m.conv('0', x, { padding: (conv.kernel - 1) / 2, ...conv }), norm);
  return activation ? activation(y) : y;
}

export interface SqueezeExcitation {
  /** Channels in the middle. */
  squeeze: number;
  activation?: Activation;
  gate?: Activation;
  /** How the biases of both layers (with so many inputs) are drawn. */
  bias?: (inputs: number) => Initializer;
}

/** Hu et al. 2018 (arXiv:1709.01507): each channel is scaled by what two small layers make of all channels' means. */
export function squeezeExcitation(m: Module, x: Tensor, options: SqueezeExcitation): Tensor {
  const { squeeze, activation = relu, gate = sigmoid, bias = () => ({ kind: 'constant', value: 0 }) } = options;
  const channels = x.shape.at(-1) ?? 0;
  const layer = (name: string, y: Tensor, outputs: number, inputs: number) =>
    m.conv(name, y, { channels: outputs, kernel: 1, bias: true, biasInitializer: bias(inputs) });
  const squeezed = activation(layer('fc1', globalAveragePool(x, true), squeeze, channels));
  return mul(x, gate(layer('fc2', squeezed, channels, squeeze)));
}

/** The multiple of `divisor` nearest to `value`, but the next one where that would take away more than a tenth. */
export function roundChannels(value: number, divisor = 8): number {
  const nearest = Math.max(divisor, Math.floor((value + divisor / 2) / divisor) * divisor);
  return nearest < 0.9 * value ? nearest + divisor : nearest;
}
