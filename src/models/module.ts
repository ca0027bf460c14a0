// The layers of which networks are built, under torchvision's module names. A network is a function from a module and
// images to logits; building it a second time (for evaluation) finds the parameters of the first.

import type { Node, Tensor } from '../graph/graph.js';
import { cast, pad } from '../graph/ops/array.js';
import { conv2d } from '../graph/ops/conv.js';
import { linear, mean } from '../graph/ops/math.js';
import { batchNormInference, batchNormTraining } from '../graph/ops/norm.js';
import { maxPool } from '../graph/ops/pool.js';
import { floatConstant } from '../graph/ops/source.js';
import { knownDimension } from '../graph/types.js';
import type { Initializer, Layout, Parameter, ParameterStore } from './parameters.js';

/** What is common to all modules of one built network. */
export interface BuildContext {
  readonly parameters: ParameterStore;
  readonly training: boolean;
  /** Each trainable parameter that the network reads, and the tensor that it reads. */
  readonly reads: Map<Parameter, Tensor>;
  /** Updates of running statistics, to be run with each training step. */
  readonly updates: Node[];
}

export interface ConvLayer {
  channels: number;
  kernel: number;
  stride?: number;
  /** Zeros on all four sides, as PyTorch counts it. */
  padding?: number;
  groups?: number;
}

const ones: Initializer = { kind: 'constant', value: 1 };
const zeros: Initializer = { kind: 'constant', value: 0 };

export class Module {
  private readonly context: BuildContext;
  private readonly path: string;

  constructor(context: BuildContext, path = '') {
    this.context = context;
    this.path = path;
  }

  /** A module within this one: `child('layer1', 0)` is `layer1.0`. */
  child(...names: readonly (string | number)[]): Module {
    return new Module(this.context, this.qualify(names.join('.')));
  }

  /** torch.nn.Conv2d without a bias; weights drawn as He et al. 2015 (arXiv:1502.01852), by fan-out, for ReLU. */
  conv(name: string, x: Tensor, { channels, kernel, stride = 1, padding = 0, groups = 1 }: ConvLayer): Tensor {
    const depth = knownDimension(x.shape, 3) / groups;
    const initializer: Initializer = { kind: 'normal', std: Math.sqrt(2 / (channels * kernel * kernel)) };
    const filter = this.read(`${name}.weight`, [channels, depth, kernel, kernel], initializer, 'filter');
    return this.within(name, () => {
      const weights = cast(filter, x.dtype);
      if (padding === 0) return conv2d(x, weights, { stride });
      if (stride === 1 && padding * 2 === kernel - 1) return conv2d(x, weights, { padding: 'SAME' });
      return conv2d(padImages(x, padding), weights, { stride });
    });
  }

  /** torch.nn.BatchNorm2d. In training it notes the updates of its running statistics. */
  batchNorm(name: string, x: Tensor, { epsilon = 1e-5, momentum = 0.1 } = {}): Tensor {
    const shape = [knownDimension(x.shape, 3)];
    const scale = this.read(`${name}.weight`, shape, ones);
    const offset = this.read(`${name}.bias`, shape, zeros);
    const meanParameter = this.buffer(`${name}.running_mean`, shape, zeros);
    const varianceParameter = this.buffer(`${name}.running_var`, shape, ones);
    return this.within(name, () => {
      const runningMean = meanParameter.variable.read();
      const runningVariance = varianceParameter.variable.read();
      const inputs = { x, scale, offset, runningMean, runningVariance };
      if (!this.context.training) return batchNormInference(inputs, { epsilon });
      const moved = batchNormTraining(inputs, { epsilon, momentum });
      this.context.updates.push(meanParameter.variable.assign(moved.runningMean));
      this.context.updates.push(varianceParameter.variable.assign(moved.runningVariance));
      return moved.y;
    });
  }

  /** torch.nn.Linear: [N, in] -> [N, features], drawn as PyTorch draws it. */
  linear(name: string, x: Tensor, features: number): Tensor {
    const inputs = knownDimension(x.shape, 1);
    const initializer: Initializer = { kind: 'uniform', bound: 1 / Math.sqrt(inputs) };
    const weight = this.read(`${name}.weight`, [features, inputs], initializer);
    const bias = this.read(`${name}.bias`, [features], initializer);
    return this.within(name, () => linear(x, cast(weight, x.dtype), cast(bias, x.dtype)));
  }

  private read(name: string, shape: readonly number[], initializer: Initializer, layout: Layout = 'plain'): Tensor {
    const spec = { name: this.qualify(name), shape, layout, trainable: true, initializer };
    const parameter = this.context.parameters.get(spec);
    const value = parameter.variable.read();
    this.context.reads.set(parameter, value);
    return value;
  }

  private buffer(name: string, shape: readonly number[], initializer: Initializer): Parameter {
    const spec = { name: this.qualify(name), shape, layout: 'plain', trainable: false, initializer } as const;
    return this.context.parameters.get(spec);
  }

  private qualify(name: string): string {
    return this.path ? `${this.path}.${name}` : name;
  }

  private within<T>(name: string, build: () => T): T {
    return this.context.parameters.graph.scope(this.qualify(name), build);
  }
}

/** torch.nn.MaxPool2d with symmetric padding. */
export function maxPool2d(x: Tensor, options: { kernel: number; stride: number; padding?: number }): Tensor {
  const { kernel, stride, padding = 0 } = options;
  const lowest = () => cast(floatConstant(x.graph, Number.NEGATIVE_INFINITY), x.dtype);
  const padded = padding === 0 ? x : padImages(x, padding, lowest());
  return maxPool(padded, { kernel, stride, padding: 'VALID' });
}

/** torch.nn.AdaptiveAvgPool2d(1), flattened: [N, H, W, C] -> [N, C]. */
export function globalAveragePool(x: Tensor): Tensor {
  return mean(x, [1, 2]);
}

function padImages(x: Tensor, padding: number, value?: Tensor): Tensor {
  const both = [padding, padding] as const;
  return pad(x, [[0, 0], both, both, [0, 0]], value);
}
