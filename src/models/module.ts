// The layers of which networks are built, under torchvision's module names. A network is a function from a module and
// images to logits; building it a second time (for evaluation) finds the parameters of the first.

import type { Tensor } from '../graph/graph.js';
import { activationName } from '../graph/ops/activation.js';
import { cast, reshape, shapeOf, slice } from '../graph/ops/array.js';
import { addBias, conv2d } from '../graph/ops/conv.js';
import { depthwiseConv2d } from '../graph/ops/depthwise.js';
import { fusedDepthwiseConv2d, hasFusedDepthwise } from '../graph/ops/fused-depthwise.js';
import { fusedGroupedConv2d, hasFusedGrouped } from '../graph/ops/fused-grouped.js';
import { fusedBatchNorm, fusedBatchNormInference, hasFusedNorm, scaleChannels } from '../graph/ops/fused-norm.js';
import { layerNorm } from '../graph/ops/layer-norm.js';
import { matMul, mul, add as plus } from '../graph/ops/math.js';
import { batchNormInference, batchNormTraining } from '../graph/ops/norm.js';
import { intConstant } from '../graph/ops/source.js';
import { hasWinograd, winogradConv2d } from '../graph/ops/winograd.js';
import { dimension, knownDimension } from '../graph/types.js';
import type { Frozen } from './freezing.js';
import type { Initializer, Layout, Parameter, ParameterStore, Reads } from './parameters.js';
import { globalAveragePool } from './pooling.js';
import type { StepRandom } from './step-random.js';
import { isPlain3x3, type Pair, paddingOf, pairOf, placeWindow } from './window.js';

export {
  adaptiveAveragePool,
  avgPool2d,
  concatChannels,
  flatten,
  globalAveragePool,
  maxPool2d,
  splitChannels,
} from './pooling.js';

/** What is common to all modules of one built network. */
export interface BuildContext {
  readonly parameters: ParameterStore;
  readonly training: boolean;
  /** Where dropout and stochastic depth draw from; without it nothing is dropped. */
  readonly random?: StepRandom | undefined;
  /** What behaves as in evaluation though the rest is trained. */
  readonly frozen?: Frozen | undefined;
  readonly reads: Reads;
  /** Running statistics, and what each training step makes of them. */
  readonly statistics: { parameter: Parameter; value: Tensor }[];
}

export interface ConvLayer {
  channels: number;
  kernel: Pair;
  stride?: number;
  /** Zeros on both sides of each axis, as PyTorch counts them; `same`: as TensorFlow adds them. */
  padding?: Pair | 'same';
  groups?: number;
  dilation?: number;
  bias?: boolean;
  /** He et al. 2015 (arXiv:1502.01852) by fan-out, for ReLU, where none is given. */
  initializer?: Initializer;
  /** Zeros where none is given. */
  biasInitializer?: Initializer;
}

export interface BatchNormLayer {
  epsilon?: number;
  /** Weight of each batch in the running statistics. */
  momentum?: number;
  /** Makes what is added to the result, once the layer's own parameters are there; the activation is then ReLU or none. */
  add?: () => Tensor;
  /** What is made of the result, or of the sum. */
  activation?: ((x: Tensor) => Tensor) | undefined;
}

export interface LinearLayer {
  bias?: boolean;
  /** PyTorch's own, `uniformByFanIn`, for weights and bias where none is given. */
  initializer?: Initializer;
  /** Zeros where only the weights' is given. */
  biasInitializer?: Initializer;
}

const ones: Initializer = { kind: 'constant', value: 1 };
const zeros: Initializer = { kind: 'constant', value: 0 };

/** What PyTorch draws convolutions, linear layers and their biases from; `fanIn`: inputs of each output. */
export function uniformByFanIn(fanIn: number): Initializer {
  return { kind: 'uniform', bound: 1 / Math.sqrt(fanIn) };
}

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

  /** torch.nn.Conv2d on [N, H, W, C]. */
  conv(name: string, x: Tensor, layer: ConvLayer): Tensor {
    const { channels, kernel, stride = 1, groups = 1, dilation = 1, bias = false } = layer;
    const [height, width] = pairOf(kernel);
    const { initializer = { kind: 'normal', std: Math.sqrt(2 / (channels * height * width)) } as const } = layer;
    const { padding = 0, biasInitializer = zeros } = layer;
    const inputs = knownDimension(x.shape, 3);
    const layout = groups > 1 && groups === inputs && dilation === 1 ? 'depthwise' : 'filter';
    const filter = this.read(`${name}.weight`, [channels, inputs / groups, height, width], initializer, layout);
    const offset = bias ? this.read(`${name}.bias`, [channels], biasInitializer) : undefined;
    const isFused =
      layout === 'depthwise' &&
      height === width &&
      channels === inputs &&
      dilation === 1 &&
      hasFusedDepthwise(x, { channels, kernel: height, stride });
    const isGrouped =
      groups > 1 &&
      layout === 'filter' &&
      height === width &&
      dilation === 1 &&
      hasFusedGrouped(x, { channels, groups, kernel: height, stride });
    const isWinograd = groups === 1 && isPlain3x3({ kernel, stride, padding, dilation }) && hasWinograd(x, channels);
    const convolved = () => {
      if (isFused) {
        const filters = reshape(filter, [height, width, channels, 1]);
        return fusedDepthwiseConv2d(x, filters, { stride, padding: paddingOf(x, { ...layer, stride, padding }) });
      }
      if (isGrouped) {
        return fusedGroupedConv2d(x, filter, { stride, padding: paddingOf(x, { ...layer, stride, padding }) });
      }
      if (isWinograd) return winogradConv2d(x, filter);
      const placed =
        padding === 'same' ? { x, padding: 'SAME' as const } : placeWindow(x, { ...layer, stride, padding });
      const options = { stride, dilation, padding: placed.padding };
      const weights = cast(filter, x.dtype);
      return layout === 'filter'
        ? conv2d(placed.x, weights, options)
        : depthwiseConv2d(placed.x, reshape(weights, [height, width, inputs, channels / inputs]), options);
    };
    return this.within(name, () => {
      const y = convolved();
      return offset ? addBias(y, cast(offset, x.dtype)) : y;
    });
  }

  /** torch.nn.BatchNorm2d, and what comes after it. In training it notes the updates of its running statistics. */
  batchNorm(name: string, x: Tensor, layer: BatchNormLayer = {}): Tensor {
    return this.batchNormAndMeans(name, x, layer, false).y;
  }

  /** The same, and the mean over each image, [N, 1, 1, C], which costs nothing where it can be made on the way. */
  batchNormWithMeans(name: string, x: Tensor, layer: BatchNormLayer = {}): { y: Tensor; means: Tensor } {
    const { y, means = globalAveragePool(y, true) } = this.batchNormAndMeans(name, x, layer, true);
    return { y, means };
  }

  private batchNormAndMeans(
    name: string,
    x: Tensor,
    { epsilon = 1e-5, momentum = 0.1, add, activation }: BatchNormLayer,
    pool: boolean,
  ): { y: Tensor; means?: Tensor } {
    const shape = [knownDimension(x.shape, 3)];
    const scale = this.read(`${name}.weight`, shape, ones);
    const offset = this.read(`${name}.bias`, shape, zeros);
    const meanParameter = this.buffer(`${name}.running_mean`, shape, zeros);
    const varianceParameter = this.buffer(`${name}.running_var`, shape, ones);
    const side = add?.();
    return this.within(name, () => {
      const runningMean = this.context.reads.value(meanParameter);
      const runningVariance = this.context.reads.value(varianceParameter);
      const inputs = { x, scale, offset, runningMean, runningVariance };
      const after = (y: Tensor) => {
        const sum = side ? plus(y, side) : y;
        return activation ? activation(sum) : sum;
      };
      const isFixed = !this.context.training || this.context.frozen?.parameter(meanParameter.name);
      const note = (moved: { runningMean: Tensor; runningVariance: Tensor }) => {
        this.context.statistics.push({ parameter: meanParameter, value: moved.runningMean });
        this.context.statistics.push({ parameter: varianceParameter, value: moved.runningVariance });
      };
      const fused = activation ? activationName(activation) : 'none';
      if (isFixed) {
        // oneDNN would apply a batch norm in float32 number by number behind some convolutions, as those of a single image.
        const isKernel = !this.context.training && fused && x.dtype === 'float32' && hasFusedNorm(x);
        if (isKernel) return { y: fusedBatchNormInference({ ...inputs, side }, { epsilon, activation: fused }) };
        return { y: after(batchNormInference(inputs, { epsilon })) };
      }
      if (fused && hasFusedNorm(x)) {
        const moved = fusedBatchNorm({ ...inputs, side }, { epsilon, momentum, activation: fused, pool });
        note(moved);
        return { y: moved.y, ...(pool && { means: cast(moved.pooled, x.dtype) }) };
      }
      const moved = batchNormTraining(inputs, { epsilon, momentum });
      note(moved);
      return { y: after(moved.y) };
    });
  }

  /** torch.nn.LayerNorm over the last axis. */
  layerNorm(name: string, x: Tensor, { epsilon = 1e-5 } = {}): Tensor {
    const shape = [knownDimension(x.shape, -1)];
    const scale = this.read(`${name}.weight`, shape, ones);
    const offset = this.read(`${name}.bias`, shape, zeros);
    return this.within(name, () => layerNorm({ x, scale, offset }, { epsilon }));
  }

  /** torch.nn.Linear on the last axis: [..., in] -> [..., features]. */
  linear(name: string, x: Tensor, features: number, { bias = true, ...layer }: LinearLayer = {}): Tensor {
    const inputs = knownDimension(x.shape, -1);
    const { initializer = uniformByFanIn(inputs) } = layer;
    const { biasInitializer = layer.initializer ? zeros : uniformByFanIn(inputs) } = layer;
    const weight = this.read(`${name}.weight`, [features, inputs], initializer);
    const offset = bias ? this.read(`${name}.bias`, [features], biasInitializer) : undefined;
    return this.within(name, () => {
      const rows = x.shape.length === 2 ? x : reshape(x, [null, inputs]);
      const product = matMul(rows, cast(weight, x.dtype), { transposeB: true });
      const y = offset ? addBias(product, cast(offset, x.dtype)) : product;
      return rows === x ? y : reshape(y, [...x.shape.slice(0, -1), features]);
    });
  }

  /** A torch.nn.Parameter of this module itself, in its stored shape; float32. */
  parameter(name: string, shape: readonly number[], initializer: Initializer): Tensor {
    return this.read(name, shape, initializer);
  }

  /** torch.nn.Dropout: in training each number is zero with probability `rate`. */
  dropout(x: Tensor, rate: number): Tensor {
    const random = this.drawingFrom(rate);
    if (!random) return x;
    return this.within('dropout', () => mul(x, random.mask(rate, shapeOf(x), x.shape, x.dtype)));
  }

  /**
   * Huang et al. 2016 (arXiv:1603.09382): in training each image's `x`, a residual branch, is zero with probability `rate`.
   * `scale`, [C, 1, 1], multiplies its channels (Touvron et al. 2021, arXiv:2103.17239).
   */
  stochasticDepth(x: Tensor, rate: number, { scale }: { scale?: Tensor } = {}): Tensor {
    const by = scale && cast(reshape(scale, [knownDimension(x.shape, 3)]), x.dtype);
    const random = this.drawingFrom(rate);
    if (!random) return by ? mul(x, by) : x;
    return this.within('stochastic_depth', () => {
      const images = dimension(x.shape, 0);
      const [first, one] = [intConstant(x.graph, [0]), intConstant(x.graph, [1])];
      const drawn = random.mask(rate, slice(shapeOf(x), first, one, [1]), [images], x.dtype);
      const mask = reshape(drawn, [images, ...x.shape.slice(1).map(() => 1)]);
      if (by && hasFusedNorm(x)) return scaleChannels(x, mul(mask, by));
      return mul(by ? mul(x, by) : x, mask);
    });
  }

  private drawingFrom(rate: number): StepRandom | undefined {
    const { random, training, frozen } = this.context;
    const draws = training && rate > 0 && !frozen?.module(this.path);
    return draws ? random : undefined;
  }

  private read(name: string, shape: readonly number[], initializer: Initializer, layout: Layout = 'plain'): Tensor {
    const spec = { name: this.qualify(name), shape, layout, trainable: true, initializer };
    const parameter = this.context.parameters.get(spec);
    return this.context.reads.value(parameter, { train: !this.context.frozen?.parameter(parameter.name) });
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
