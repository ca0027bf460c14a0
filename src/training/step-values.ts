// Batches, results and weights on their way into a session and out of it.

import { float32, type HostTensor, int32, outputOf } from '../graph/session.js';
import type { StateDict } from '../weights/state-dict.js';

/** Images and labels as the loader hands them out. */
export interface StepBatch {
  /** The bytes of [N, H, W, 3], row-major; the buffer reaches to the next multiple of 4. */
  pixels: Uint8Array;
  labels: Int32Array;
}

/** What a frozen backbone makes of images, in place of them. */
export interface StepFeatures {
  /** [N, size], row-major. */
  features: Float32Array;
  labels: Int32Array;
}

export type AnyStepBatch = StepBatch | StepFeatures;

export interface StepResult {
  images: number;
  /** False where the guard left the step out: nothing has changed but `counters`. */
  applied: boolean;
  /** In float16: the scale of the loss after the step, lower than before where that was left out. */
  lossScale?: number;
  /** Mean over the batch. */
  loss: number;
  /** How many labels were the highest, or among the five highest scores. */
  correctAt1: number;
  correctAt5: number;
}

/** What is fed of a batch. */
export function feeds(batch: AnyStepBatch): Record<string, HostTensor> {
  const { labels } = batch;
  if (labels.length === 0) throw new Error('internal: a batch without images');
  if ('features' in batch) {
    const { features } = batch;
    return { features: float32(features, [labels.length, features.length / labels.length]), labels: int32(labels) };
  }
  const { pixels } = batch;
  const words = Math.ceil(pixels.byteLength / 4);
  return { pixels: int32(new Int32Array(pixels.buffer, pixels.byteOffset, words)), labels: int32(labels) };
}

/** What a step says of its batch. */
export function result({ labels }: Pick<StepBatch, 'labels'>, outputs: Record<string, HostTensor>): StepResult {
  const scalar = (name: string) => outputOf(outputs, name).data[0] ?? Number.NaN;
  return {
    images: labels.length,
    applied: outputs['applied']?.data[0] !== 0,
    loss: scalar('loss'),
    correctAt1: scalar('correct_at_1'),
    correctAt5: scalar('correct_at_5'),
  };
}

/** Those of `names` that are there, each as the input of its name. */
export function asInputs(tensors: StateDict, names: Iterable<string> = tensors.keys()): Record<string, HostTensor> {
  const input = (name: string): [string, HostTensor][] => {
    const tensor = tensors.get(name);
    return tensor ? [[name, float32(tensor.data, tensor.shape)]] : [];
  };
  return Object.fromEntries([...names].flatMap(input));
}

/** `names` in torchvision's order, which the graph's outputs do not keep. */
export function asStateDict(outputs: Record<string, HostTensor>, names: readonly string[]): StateDict {
  return new Map(
    names.map((name) => {
      const tensor = outputOf(outputs, name);
      return [name, { shape: tensor.shape, data: floats(tensor) }];
    }),
  );
}

export function concatenated(arrays: readonly Float32Array[]): Float32Array {
  const [only] = arrays;
  if (only && arrays.length === 1) return only;
  const whole = new Float32Array(arrays.reduce((length, array) => length + array.length, 0));
  let at = 0;
  for (const array of arrays) {
    whole.set(array, at);
    at += array.length;
  }
  return whole;
}

export function floats({ data }: HostTensor): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new Error('internal: a graph returned integers where floats were due');
}
