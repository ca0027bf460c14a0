// An ONNX graph under construction, and the tensors of the network in it. ONNX convolves [N, C, H, W], the network's graph
// [N, H, W, C]: each tensor may lie with its axes in another order than the network's, which is noted with it, so that a
// transposition is mostly no work but another note.

import { permute } from '../../graph/passes/permute.js';
import { largestHalf, toHalf } from '../half.js';
import type { Quantization } from '../tfjs-weights.js';
import type { OnnxAttribute, OnnxNode, OnnxTensor } from './schema.js';

/** Axis i, as it lies, is axis `order[i]` of the network's tensor. */
export type AxisOrder = readonly number[];

export const channelsFirst: AxisOrder = [0, 3, 1, 2];

/** A tensor in the ONNX graph. */
export interface Placed {
  name: string;
  order: AxisOrder;
}

/** A constant, which has no place until somebody needs it in some order. */
export interface Loose {
  shape: readonly number[];
  data: Float32Array | Int32Array;
}

export const inOrder = (rank: number): AxisOrder => Array.from({ length: rank }, (_, axis) => axis);

const sameOrder = (a: AxisOrder, b: AxisOrder) => a.length === b.length && a.every((axis, i) => axis === b[i]);

export class OnnxBuilder {
  readonly nodes: OnnxNode[] = [];
  readonly constants: OnnxTensor[] = [];
  private readonly names = new Set<string>();
  private readonly turned = new Map<string, string>();
  private readonly half: boolean;

  constructor({ quantize }: { quantize: Exclude<Quantization, 'uint8'> }) {
    this.half = quantize === 'float16';
  }

  /** Adds a node of one output, and returns the output's name. */
  add(op: string, inputs: readonly string[], attributes: Record<string, OnnxAttribute> = {}, name = op): string {
    const [output] = this.addAll(op, inputs, attributes, { name, outputs: 1 });
    if (output === undefined) throw new Error('internal: a node without outputs');
    return output;
  }

  addAll(
    op: string,
    inputs: readonly string[],
    attributes: Record<string, OnnxAttribute>,
    { name = op, outputs }: { name?: string; outputs: number },
  ): readonly string[] {
    const names = Array.from({ length: outputs }, (_, index) => this.unique(index === 0 ? name : `${name}:${index}`));
    this.nodes.push({ name: names[0] ?? name, op, inputs, outputs: names, attributes });
    return names;
  }

  /** Adds numbers; those of filters and matrices in 16 bits, where that is wanted, to be widened when they are used. */
  constant(name: string, { shape, data }: { shape: readonly number[]; data: Float32Array }): string {
    if (this.half && shape.length >= 2 && data.every((value) => Math.abs(value) <= largestHalf)) {
      const stored = this.store(`${name}/half`, 'float16', shape, toHalf(data));
      return this.add('Cast', [stored], { to: { int: 1 } }, name);
    }
    return this.store(name, 'float32', shape, data);
  }

  /** Adds whole numbers. */
  integers(name: string, values: readonly number[]): string {
    return this.store(name, 'int64', [values.length], BigInt64Array.from(values, BigInt));
  }

  /** The tensor's name when its axes lie in `order`. */
  inOrder(placed: Placed, order: AxisOrder): string {
    if (sameOrder(placed.order, order)) return placed.name;
    const key = `${placed.name} ${order}`;
    const perm = order.map((axis) => placed.order.indexOf(axis));
    const name = this.turned.get(key) ?? this.add('Transpose', [placed.name], { perm: { ints: perm } });
    this.turned.set(key, name);
    return name;
  }

  /**
   * A constant that is broadcast to a tensor of `order`: as many axes, in its order, where the first of them that have
   * one element are left out.
   */
  broadcast(name: string, { shape, data }: Loose, order: AxisOrder): string {
    const full = [...Array<number>(order.length - shape.length).fill(1), ...shape];
    const lying = order.map((axis) => full[axis] ?? 1);
    const first = lying.findIndex((size) => size !== 1);
    const own = first === -1 ? [] : lying.slice(first);
    return this.constant(name, { shape: own, data: Float32Array.from(permute(data, full, order)) });
  }

  private store(name: string, type: OnnxTensor['type'], shape: readonly number[], data: NodeJS.TypedArray): string {
    const unique = this.unique(name);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.constants.push({ name: unique, type, shape, bytes });
    return unique;
  }

  private unique(name: string): string {
    let found = name;
    for (let count = 1; this.names.has(found); count++) found = `${name}_${count}`;
    this.names.add(found);
    return found;
  }
}
