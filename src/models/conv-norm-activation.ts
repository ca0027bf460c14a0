// What most networks since 2018 are made of, under torchvision's module names.

import type { Tensor } from '../graph/graph.js';
import { relu, sigmoid } from '../graph/ops/activation.js';
import { hasFusedNorm, scaleChannels } from '../graph/ops/fused-norm.js';
import { mul } from '../graph/ops/math.js';
import type { ConvLayer, Module } from './module.js';
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
  /** Makes what is added before the activation, which is then ReLU or none. */
  add?: () => Tensor;
}

/** A convolution (`0`), padded to keep the size at stride 1, batch norm (`1`) and an activation. */
export function convNormActivation(m: Module, x: Tensor, layer: ConvNormActivation): Tensor {
  const { activation, norm, add, ...conv } = layer;
  const y = m.conv('0', x, { padding: (conv.kernel - 1) / 2, ...conv });
  return m.batchNorm('1', y, { ...norm, activation, ...(add && { add }) });
}

/** The same, and the mean over each image, [N, 1, 1, C], for `squeezeExcitation`. */
export function convNormActivationWithMeans(m: Module, x: Tensor, layer: ConvNormActivation) {
  const { activation, norm, add, ...conv } = layer;
  const y = m.conv('0', x, { padding: (conv.kernel - 1) / 2, ...conv });
  return m.batchNormWithMeans('1', y, { ...norm, activation, ...(add && { add }) });
}

export interface SqueezeExcitation {
  /** Channels in the middle. */
  squeeze: number;
  activation?: Activation;
  gate?: Activation;
  /** How the biases of both layers (with so many inputs) are drawn. */
  bias?: (inputs: number) => Initializer;
}

/** Hu et al. 2018 (arXiv:1709.01507): each channel of y is scaled by what two small layers make of all channels' means. */
export function squeezeExcitation(
  m: Module,
  { y: x, means }: { y: Tensor; means: Tensor },
  options: SqueezeExcitation,
): Tensor {
  const { squeeze, activation = relu, gate = sigmoid, bias = () => ({ kind: 'constant', value: 0 }) } = options;
  const channels = x.shape.at(-1) ?? 0;
  const layer = (name: string, y: Tensor, outputs: number, inputs: number) =>
    m.conv(name, y, { channels: outputs, kernel: 1, bias: true, biasInitializer: bias(inputs) });
  const squeezed = activation(layer('fc1', means, squeeze, channels));
  const scale = gate(layer('fc2', squeezed, channels, squeeze));
  return hasFusedNorm(x) ? scaleChannels(x, scale) : mul(x, scale);
}

/** The multiple of `divisor` nearest to `value`, but the next one where that would take away more than a tenth. */
export function roundChannels(value: number, divisor = 8): number {
  const nearest = Math.max(divisor, Math.floor((value + divisor / 2) / divisor) * divisor);
  return nearest < 0.9 * value ? nearest + divisor : nearest;
}
