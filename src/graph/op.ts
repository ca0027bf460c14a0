// What an op is: how its outputs follow from its inputs, which attributes TensorFlow wants, and its gradient.

import type { Attributes, Graph, Node } from './graph.js';
import { Tensor } from './graph.js';
import type { TensorType } from './types.js';

/** What a gradient rule sees of the node that it differentiates. */
export interface Differentiated<A> {
  inputs: readonly Tensor[];
  outputs: readonly Tensor[];
  options: A;
  /** Which inputs' gradients are wanted; the others may be left out. */
  wanted: readonly boolean[];
}

/**
 * The gradient arriving at each output -> one (or none) leaving at each input. A gradient may have the shape to which
 * its input was broadcast: the walker sums it back.
 */
export type GradientRule<A> = (
  node: Differentiated<A>,
  ...upstream: readonly (Tensor | undefined)[]
) => readonly (Tensor | undefined)[];

export interface OpDefinition<A> {
  /** TensorFlow's name. */
  readonly op: string;
  /** dtype and shape of each output. Throws `internal:` where the inputs do not fit. */
  outputs(inputs: readonly Tensor[], options: A): readonly TensorType[];
  attributes(inputs: readonly Tensor[], options: A): Attributes;
  /** `constant`: no gradient flows through it. `final`: differentiating through it is a mistake. */
  readonly gradient: GradientRule<A> | 'constant' | 'final';
}

/** Of an op whose inputs say all. */
export type NoOptions = Record<never, never>;

/** The attribute `T` of most ops: the type of the first input. */
export const typeOf = ([x]: readonly Tensor[]): Attributes => (x ? { T: { dtype: x.dtype } } : {});

/** Ops of one kind, whatever their options. */
export type OpFamily = readonly { readonly op: string; readonly gradient: unknown }[];

/** Whether x's graph may hold all ops of a family of ours, none of which knows float16. */
export const hasKernels = ({ dtype, graph }: Tensor, family: OpFamily): boolean =>
  dtype !== 'float16' && family.every(({ op }) => graph.kernels.has(op));

/** Those of `kernels` that are for ops of these families. */
export const kernelsOf = (kernels: ReadonlySet<string>, ...families: readonly OpFamily[]): ReadonlySet<string> =>
  new Set(families.flatMap((family) => family.map(({ op }) => op)).filter((op) => kernels.has(op)));

/** Adds one node to the inputs' graph (or to `graph`, for an op without inputs) and returns all of its outputs. */
export function applyAll<A>(
  definition: OpDefinition<A>,
  inputs: readonly Tensor[],
  options: A,
  { graph = inputs[0]?.graph, name }: { graph?: Graph | undefined; name?: string | undefined } = {},
): Node {
  if (!graph) throw new Error(`internal: ${definition.op} without inputs needs a graph`);
  const { gradient } = definition;
  return graph.add({
    op: definition.op,
    name,
    inputs,
    attributes: definition.attributes(inputs, options),
    outputs: definition.outputs(inputs, options),
    backward: (outputs) =>
      typeof gradient === 'string'
        ? gradient
        : (upstream, wanted) => gradient({ inputs, outputs, options, wanted }, ...upstream),
  });
}

/** As `applyAll`, for ops of which one output matters: the first. */
export function apply<A>(
  definition: OpDefinition<A>,
  inputs: readonly Tensor[],
  options: A,
  place: { graph?: Graph | undefined; name?: string | undefined } = {},
): Tensor {
  return output(applyAll(definition, inputs, options, place), 0);
}

export function output(node: Node, index: number): Tensor {
  const tensor = node.outputs[index];
  if (!tensor) throw new Error(`internal: ${node.op} ${node.name} has no output ${index}`);
  return tensor;
}

/** The gradient at an op's only differentiable output, which is there whenever the rule is called. */
export function present(upstream: Tensor | undefined): Tensor {
  if (!(upstream instanceof Tensor)) throw new Error('internal: a gradient rule was called without a gradient');
  return upstream;
}
