// Ops that bring values into a graph and let them out: constants, placeholders, identities, random numbers.

import type { Graph, Tensor } from '../graph.js';
import { apply, type OpDefinition, type OpFamily, typeOf } from '../op.js';
import type { DType, Shape, TensorType } from '../types.js';

interface ConstOptions {
  type: TensorType;
  bytes: Uint8Array;
}

const constOp: OpDefinition<ConstOptions> = {
  op: 'Const',
  outputs: (_, { type }) => [type],
  attributes: (_, { type, bytes }) => ({ dtype: { dtype: type.dtype }, value: { tensor: type, bytes } }),
  gradient: 'constant',
};

const placeholderOp: OpDefinition<TensorType> = {
  op: 'Placeholder',
  outputs: (_, type) => [type],
  attributes: (_, { dtype, shape }) => ({ dtype: { dtype }, shape: { shape } }),
  gradient: 'constant',
};

const identityOp: OpDefinition<Record<never, never>> = {
  op: 'Identity',
  outputs: ([x]) => (x ? [x] : []),
  attributes: typeOf,
  gradient: (_, upstream) => [upstream],
};

interface RandomOptions {
  shape: Shape;
}

/** Philox, keyed by the seed alone: the same numbers on every device and for every number of threads. */
const statelessRandom = (op: 'StatelessRandomNormal' | 'StatelessRandomUniform'): OpDefinition<RandomOptions> => ({
  op,
  outputs: (_, { shape }) => [{ dtype: 'float32', shape }],
  attributes: () => ({ dtype: { dtype: 'float32' }, T: { dtype: 'int32' }, Tseed: { dtype: 'int32' } }),
  gradient: 'constant',
});
const randomNormalOp = statelessRandom('StatelessRandomNormal');
const randomUniformOp = statelessRandom('StatelessRandomUniform');

export const sourceOps: OpFamily = [constOp, placeholderOp, identityOp, randomNormalOp, randomUniformOp];

/** A float32 constant: a scalar, or `values` in row-major order with `shape`. */
export function floatConstant(graph: Graph, values: number | readonly number[], shape?: Shape): Tensor {
  return constant(graph, 'float32', new Float32Array(Array.isArray(values) ? values : [values]), values, shape);
}

/** An int32 constant: a scalar, or `values` in row-major order with `shape`. */
export function intConstant(graph: Graph, values: number | readonly number[], shape?: Shape): Tensor {
  return constant(graph, 'int32', new Int32Array(Array.isArray(values) ? values : [values]), values, shape);
}

function constant(
  graph: Graph,
  dtype: 'float32' | 'int32',
  data: Float32Array | Int32Array,
  values: number | readonly number[],
  shape: Shape = Array.isArray(values) ? [values.length] : [],
): Tensor {
  const bytes = new Uint8Array(data.buffer);
  return apply(constOp, [], { type: { dtype, shape }, bytes }, { graph });
}

/** A value that is fed at each run. */
export function placeholder(graph: Graph, name: string, dtype: DType, shape: Shape): Tensor {
  return graph.on(undefined, () => apply(placeholderOp, [], { dtype, shape }, { graph, name }));
}

/** The same value under a name of its own; within `graph.after` it waits for the nodes named there. */
export function identity(x: Tensor, name?: string): Tensor {
  return apply(identityOp, [x], {}, { name });
}

/** Standard normal numbers. `seed`: int32 [2]. */
export function randomNormal(seed: Tensor, shape: readonly number[]): Tensor {
  return apply(randomNormalOp, [intConstant(seed.graph, shape), seed], { shape });
}

/** Uniform numbers in [0, 1). `seed`: int32 [2]. */
export function randomUniform(seed: Tensor, shape: readonly number[]): Tensor {
  return apply(randomUniformOp, [intConstant(seed.graph, shape), seed], { shape });
}

/** As `randomUniform`, of a shape (an int32 vector) that the running graph knows; its static value is `shape`. */
export function randomUniformTo(seed: Tensor, target: Tensor, shape: Shape): Tensor {
  return apply(randomUniformOp, [target, seed], { shape });
}
