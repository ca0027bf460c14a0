// The constants of a TensorFlow.js graph model: their bytes one after the other, in files of at most 4 MB, and the manifest
// that says what they are.

import type { Tensor } from '../graph/graph.js';
import { type ConstantValue, floatsOf } from '../graph/passes/constants.js';
import { largestHalf, toHalf } from './half.js';

/** How weights are stored: as they are, in half the bytes, or in a quarter. */
export type Quantization = 'none' | 'float16' | 'uint8';

interface StoredQuantization {
  dtype: 'float16' | 'uint8';
  original_dtype: 'float32';
  /** Of uint8: value = scale · stored + min. */
  scale?: number;
  min?: number;
}

interface WeightSpec {
  name: string;
  shape: readonly number[];
  dtype: 'float32' | 'int32';
  quantization?: StoredQuantization;
}

export interface StoredWeights {
  manifest: readonly { paths: readonly string[]; weights: readonly WeightSpec[] }[];
  /** By name. */
  shards: ReadonlyMap<string, Uint8Array>;
}

export interface StoredConstant extends ConstantValue {
  tensor: Tensor;
  /** The coarsest that it may be stored as. */
  coarsest: Quantization;
}

/** What browsers load and cache well in one piece. */
const shardBytes = 4 * 2 ** 20;

export function storeWeights(constants: readonly StoredConstant[], quantization: Quantization): StoredWeights {
  const stored = constants.map((constant) => storeConstant(constant, quantization));
  const bytes = Buffer.concat(stored.map(({ bytes }) => bytes));
  const count = Math.max(Math.ceil(bytes.length / shardBytes), 1);
  const shards = Array.from({ length: count }, (_, index) => {
    const name = `group1-shard${index + 1}of${count}.bin`;
    return [name, bytes.subarray(index * shardBytes, (index + 1) * shardBytes)] as const;
  });
  return {
    manifest: [{ paths: shards.map(([name]) => name), weights: stored.map(({ spec }) => spec) }],
    shards: new Map(shards),
  };
}

function storeConstant(constant: StoredConstant, quantization: Quantization): { spec: WeightSpec; bytes: Uint8Array } {
  const { dtype, shape, bytes, tensor, coarsest } = constant;
  if (dtype !== 'float32' && dtype !== 'int32') throw new Error(`internal: no ${dtype} is stored for TensorFlow.js`);
  const spec = { name: tensor.node.name, shape, dtype };
  const values = floatsOf(tensor);
  if (!values || shape.length < 2 || coarsest === 'none' || quantization === 'none') return { spec, bytes };
  const stored = quantization === 'float16' || coarsest === 'float16' ? asHalf(values) : asBytes(values);
  return stored ? { spec: { ...spec, quantization: stored.how }, bytes: stored.bytes } : { spec, bytes };
}

interface Quantized {
  how: StoredQuantization;
  bytes: Uint8Array;
}

function asHalf(values: Float32Array): Quantized | undefined {
  if (values.some((value) => Math.abs(value) > largestHalf)) return undefined;
  return { how: { dtype: 'float16', original_dtype: 'float32' }, bytes: new Uint8Array(toHalf(values).buffer) };
}

function asBytes(values: Float32Array): Quantized {
  const [min, max] = [values.reduce((a, b) => Math.min(a, b), 0), values.reduce((a, b) => Math.max(a, b), 0)];
  const scale = max > min ? (max - min) / 255 : 1;
  const bytes = Uint8Array.from(values, (value) => Math.round((value - min) / scale));
  return { how: { dtype: 'uint8', original_dtype: 'float32', scale, min }, bytes };
}
