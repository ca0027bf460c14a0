// Constants of a graph as numbers, and numbers as constants.

import type { Graph, Tensor } from '../graph.js';
import { type DType, elementCount } from '../types.js';

export interface ConstantValue {
  dtype: DType;
  shape: readonly number[];
  /** Row-major, little-endian. */
  bytes: Uint8Array;
}

/** The value of a tensor that is a constant. */
export function constantOf({ node, dtype, shape }: Tensor): ConstantValue | undefined {
  const { value } = node.attributes;
  if (node.op !== 'Const' || !value || !('tensor' in value)) return undefined;
  return { dtype, shape: shape.map((size) => size ?? 0), bytes: value.bytes };
}

/** The numbers of a float32 constant; undefined for any other tensor. */
export function floatsOf(tensor: Tensor): Float32Array | undefined {
  const found = constantOf(tensor);
  return found?.dtype === 'float32' ? new Float32Array(aligned(found.bytes)) : undefined;
}

/** The numbers of an int32 constant; undefined for any other tensor. */
export function intsOf(tensor: Tensor): Int32Array | undefined {
  const found = constantOf(tensor);
  return found?.dtype === 'int32' ? new Int32Array(aligned(found.bytes)) : undefined;
}

/** The memory of 32-bit numbers, copied where it is not all of its buffer. */
function aligned({ buffer, byteOffset, byteLength }: Uint8Array): ArrayBuffer {
  const isWhole = buffer instanceof ArrayBuffer && byteLength === buffer.byteLength;
  return isWhole ? buffer : new Uint8Array(buffer, byteOffset, byteLength).slice().buffer;
}

/** Adds a constant. Throws `internal:` where shape and data do not fit. */
export function addConstant(
  graph: Graph,
  name: string,
  { shape, data }: { shape: readonly number[]; data: Float32Array | Int32Array },
): Tensor {
  if (elementCount(shape) !== data.length) throw new Error(`internal: ${data.length} numbers for [${shape}]`);
  const type = { dtype: data instanceof Float32Array ? 'float32' : 'int32', shape } as const;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const node = graph.add({
    op: 'Const',
    name,
    attributes: { dtype: { dtype: type.dtype }, value: { tensor: type, bytes } },
    outputs: [type],
    backward: () => 'constant',
  });
  const [tensor] = node.outputs;
  if (!tensor) throw new Error('internal: a constant without an output');
  return tensor;
}
