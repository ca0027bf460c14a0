// A network small enough to be trained twice: by the program, and by hand in float64.

import { relu } from '#src/graph/ops/activation.js';
import type { Model } from '#src/models/model.js';
import { globalAveragePool, maxPool2d } from '#src/models/module.js';
import type { InputImages } from '#src/training/input.js';
import type { StepBatch } from '#src/training/steps.js';
import type { StateDict } from '#src/weights/state-dict.js';
import {
  batchNorm,
  batchNormBackward,
  convolve,
  convolveBackward,
  crossEntropy,
  type NdArray,
  ndarray,
  pool,
  poolBackward,
} from '../graph/naive.js';
import { noise } from '../graph/samples.js';

export const classes = 4;
const channels = 6;
const epsilon = 1e-5;
const momentum = 0.1;

/** 75 bytes an image: no multiple of 4. */
export const input: InputImages = { crop: 5, mean: [0.4, 0.5, 0.6], std: [0.2, 0.25, 0.3] };

export const tinyModel: Model = {
  build(m, images, outputs) {
    let x = m.conv('conv', images, { channels, kernel: 3, padding: 1 });
    x = relu(m.batchNorm('bn', x));
    x = maxPool2d(x, { kernel: 3, stride: 2, padding: 1 });
    return m.linear('fc', globalAveragePool(x), outputs);
  },
  head: 'fc',
};

/** Small, but of so many parameters that they share variables, in each half of it. */
export const sharingModel: Model = {
  build(m, images, outputs) {
    let x = m.conv('stem', images, { channels, kernel: 3 });
    for (let index = 0; index < 18; index++) {
      const block = m.child('blocks', index);
      const groups = index % 3 === 0 ? channels : 1;
      const y = block.conv('conv', x, { channels, kernel: groups > 1 ? 3 : 1, padding: groups > 1 ? 1 : 0, groups });
      x = relu(block.batchNorm('bn', y, { add: () => x }));
    }
    return m.linear('fc', m.dropout(globalAveragePool(x), 0.2), outputs);
  },
  head: 'fc',
};

/** torchvision's order and shapes. */
export const tinyShapes: Readonly<Record<string, readonly number[]>> = {
  'conv.weight': [channels, 3, 3, 3],
  'bn.weight': [channels],
  'bn.bias': [channels],
  'bn.running_mean': [channels],
  'bn.running_var': [channels],
  'fc.weight': [classes, channels],
  'fc.bias': [classes],
};

export function tinyWeights(seed: number): StateDict {
  return new Map(
    Object.entries(tinyShapes).map(([name, shape], index) => {
      const length = shape.reduce((product, size) => product * size, 1);
      const shift = name === 'bn.weight' || name === 'bn.running_var' ? 1.5 : 0;
      return [name, { shape, data: Float32Array.from(noise(seed + index, length), (value) => shift + value / 2) }];
    }),
  );
}

/** Bytes without order, their buffer filled up to four bytes with ones that belong to no image. */
export function tinyBatch(seed: number, images: number): StepBatch {
  const length = images * input.crop ** 2 * 3;
  const bytes = new Uint8Array(Math.ceil(length / 4) * 4).fill(255);
  bytes.set(noise(seed, length).map((value) => Math.floor(128 * (value + 1))));
  const labels = Int32Array.from(noise(seed + 1, images), (value) => Math.floor((classes / 2) * (value + 1)));
  return { pixels: bytes.subarray(0, length), labels };
}

type Values = Map<string, Float64Array>;

export class NaiveNetwork {
  readonly weights: Values;

  constructor(weights: StateDict) {
    this.weights = new Map([...weights].map(([name, { data }]) => [name, Float64Array.from(data)]));
  }

  /** The mean loss and the gradients of one batch in training mode; moves the running statistics unless told not to. */
  differentiate(batch: StepBatch, { moveStatistics = true } = {}): { loss: number; gradients: Values } {
    const images = normalised(batch);
    const filter = this.filter();
    const window = { stride: 1, padding: 'SAME' } as const;
    const convolved = convolve(images, filter, window);
    const [scale, offset] = [this.get('bn.weight'), this.get('bn.bias')];
    const normal = batchNorm(convolved, scale, offset, epsilon);
    const active = ndarray(
      normal.y.shape,
      normal.y.values.map((value) => Math.max(value, 0)),
    );
    const pooled = pool(active, 3, { stride: 2, padding: 'SAME' });
    const { logits, features } = this.classify(pooled);
    const { losses, dlogits } = crossEntropy(logits, batch.labels);

    const count = batch.labels.length;
    const dscores = dlogits.values.map((value) => value / count);
    const [fc, dfc, dbias] = [this.get('fc.weight'), new Float64Array(classes * channels), new Float64Array(classes)];
    const dpooled = ndarray(pooled.shape);
    const pixels = pooled.values.length / count / channels;
    for (let n = 0; n < count; n++) {
      for (let k = 0; k < classes; k++) {
        const dscore = at(dscores, n * classes + k);
        dbias[k] = at(dbias, k) + dscore;
        for (let c = 0; c < channels; c++) {
          dfc[k * channels + c] = at(dfc, k * channels + c) + dscore * at(features, n * channels + c);
          for (let pixel = 0; pixel < pixels; pixel++) {
            const i = (n * pixels + pixel) * channels + c;
            dpooled.values[i] = at(dpooled.values, i) + (dscore * at(fc, k * channels + c)) / pixels;
          }
        }
      }
    }
    const dactive = poolBackward(active, pooled, dpooled);
    const dnormal = ndarray(
      dactive.shape,
      dactive.values.map((value, i) => (at(active.values, i) > 0 ? value : 0)),
    );
    const { dx, dscale, doffset } = batchNormBackward(normal, scale, dnormal, epsilon);
    const { dfilter } = convolveBackward(images, filter, dx, window);
    if (moveStatistics) {
      this.move('bn.running_mean', normal.mean);
      this.move('bn.running_var', normal.unbiasedVariance);
    }
    return {
      loss: losses.reduce((total, value) => total + value, 0) / count,
      gradients: new Map([
        ['conv.weight', asFilterOutside(dfilter)],
        ['bn.weight', dscale],
        ['bn.bias', doffset],
        ['fc.weight', dfc],
        ['fc.bias', dbias],
      ]),
    };
  }

  /** Logits by the running statistics. */
  score(batch: StepBatch): NdArray {
    const convolved = convolve(normalised(batch), this.filter(), { stride: 1, padding: 'SAME' });
    const [scale, offset] = [this.get('bn.weight'), this.get('bn.bias')];
    const [mean, variance] = [this.get('bn.running_mean'), this.get('bn.running_var')];
    const active = convolved.values.map((value, i) => {
      const c = i % channels;
      const y = (at(scale, c) * (value - at(mean, c))) / Math.sqrt(at(variance, c) + epsilon) + at(offset, c);
      return Math.max(y, 0);
    });
    return this.classify(pool(ndarray(convolved.shape, active), 3, { stride: 2, padding: 'SAME' })).logits;
  }

  private classify(pooled: NdArray): { logits: NdArray; features: Float64Array } {
    const images = at(pooled.shape, 0);
    const pixels = pooled.values.length / images / channels;
    const features = new Float64Array(images * channels);
    for (const [i, value] of pooled.values.entries()) {
      const feature = Math.floor(i / (pixels * channels)) * channels + (i % channels);
      features[feature] = at(features, feature) + value / pixels;
    }
    const logits = ndarray([images, classes]);
    for (let i = 0; i < logits.values.length; i++) {
      const [n, k] = [Math.floor(i / classes), i % classes];
      let score = at(this.get('fc.bias'), k);
      for (let c = 0; c < channels; c++)
        score += at(this.get('fc.weight'), k * channels + c) * at(features, n * channels + c);
      logits.values[i] = score;
    }
    return { logits, features };
  }

  get(name: string): Float64Array {
    const values = this.weights.get(name);
    if (!values) throw new Error(`no weight ${name}`);
    return values;
  }

  private move(name: string, target: Float64Array): void {
    this.weights.set(
      name,
      this.get(name).map((value, c) => (1 - momentum) * value + momentum * at(target, c)),
    );
  }

  /** PyTorch's [out, in, h, w] as [h, w, in, out]. */
  private filter(): NdArray {
    const outside = this.get('conv.weight');
    const filter = ndarray([3, 3, 3, channels]);
    for (let i = 0; i < outside.length; i++) filter.values[insideOf(i)] = at(outside, i);
    return filter;
  }
}

function asFilterOutside(filter: NdArray): Float64Array {
  return filter.values.map((_, i) => at(filter.values, insideOf(i)));
}

/** Where the filter's element `i` of [out, in, h, w] lies in [h, w, in, out]. */
function insideOf(i: number): number {
  const [out, rest] = [Math.floor(i / 27), i % 27];
  const [depth, position] = [Math.floor(rest / 9), rest % 9];
  return (position * 3 + depth) * channels + out;
}

function normalised({ pixels, labels }: StepBatch): NdArray {
  const { crop, mean, std } = input;
  const values = Float64Array.from(pixels, (byte, i) => (byte / 255 - at(mean, i % 3)) / at(std, i % 3));
  return ndarray([labels.length, crop, crop, 3], values);
}

function at(list: ArrayLike<number>, index: number): number {
  const value = list[index];
  if (value === undefined) throw new RangeError(`no element ${index} of ${list.length}`);
  return value;
}
