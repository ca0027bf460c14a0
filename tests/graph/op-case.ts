// What an op must show: numbers that come out of it, and a gradient that finite differences confirm.

import { test } from 'node:test';
import type { Graph, Tensor } from '#src/graph/graph.js';
import { placeholder } from '#src/graph/ops/source.js';
import type { Runtime } from '#src/graph/session.js';
import type { Sample } from './samples.js';

interface Case {
  /** The registry's name; the op must be among the nodes that `build` makes. */
  op: string;
  name: string;
  inputs: readonly Sample[];
}

export interface ForwardCase extends Case {
  build(inputs: readonly Tensor[], graph: Graph): readonly Tensor[];
  /** Each output's values, row-major, or a judgement of them. */
  expected: readonly (readonly number[])[] | ((outputs: readonly (readonly number[])[]) => void);
  /** Largest error, relative to the output's largest value. */
  tolerance: number;
}

export interface GradientCase extends Case {
  build(inputs: readonly Tensor[], graph: Graph): Tensor;
  /** How far each input is moved, to both sides. */
  step: number;
  /** Largest error, relative to the gradient's largest value. */
  tolerance: number;
}

type TensorsOf<S extends readonly Sample[]> = { readonly [K in keyof S]: Tensor };

interface ForwardSpec<S extends readonly Sample[]> {
  op: string;
  name?: string;
  inputs: S;
  build(inputs: TensorsOf<S>, graph: Graph): Tensor | readonly Tensor[];
  expected: readonly number[] | ForwardCase['expected'];
  tolerance?: number;
}

interface GradientSpec<S extends readonly Sample[]> {
  op: string;
  name?: string;
  inputs: S;
  build(inputs: TensorsOf<S>, graph: Graph): Tensor;
  step?: number;
  tolerance?: number;
}

export function forwardCase<const S extends readonly Sample[]>(spec: ForwardSpec<S>): ForwardCase {
  const { op, name = '', inputs, build, expected, tolerance = 1e-6 } = spec;
  return {
    op,
    name,
    inputs,
    build: (tensors, graph) => {
      const made = build(tensors as TensorsOf<S>, graph);
      return Array.isArray(made) ? made : [made as Tensor];
    },
    expected: isNumbers(expected) ? [expected] : expected,
    tolerance,
  };
}

export function gradientCase<const S extends readonly Sample[]>(spec: GradientSpec<S>): GradientCase {
  const { op, name = '', inputs, build, step = 1e-2, tolerance = 1e-3 } = spec;
  return { op, name, inputs, build: (tensors, graph) => build(tensors as TensorsOf<S>, graph), step, tolerance };
}

function isNumbers(expected: readonly number[] | ForwardCase['expected']): expected is readonly number[] {
  return Array.isArray(expected) && typeof expected[0] === 'number';
}

export function titleOf({ op, name }: Case): string {
  return name ? `${op}: ${name}` : op;
}

/** Placeholders for the inputs, and what `build` makes of them, in a scope of the case's own. */
export function place<T>(
  graph: Graph,
  { op, name, inputs }: Case,
  build: (inputs: readonly Tensor[], graph: Graph) => T,
): { feeds: Record<string, Tensor>; inputs: readonly Tensor[]; made: T } {
  const before = graph.nodes.length;
  return graph.scope(op, () => {
    const tensors = inputs.map(({ dtype, shape, dynamic }, index) =>
      placeholder(graph, `input_${index}`, dtype, dynamic ? [null, ...shape.slice(1)] : shape),
    );
    const made = build(tensors, graph);
    if (!graph.nodes.slice(before).some((node) => node.op === op)) throw new Error(`${op}: ${name} has no ${op}`);
    return { feeds: Object.fromEntries(tensors.map((tensor, index) => [`x${index}`, tensor])), inputs: tensors, made };
  });
}

/** Cases in groups that share a session. */
export function inParts<C>(cases: readonly C[], size = 8): C[][] {
  const parts = Math.ceil(cases.length / size);
  return Array.from({ length: parts }, (_, part) => cases.slice(part * size, (part + 1) * size));
}

/** All but those of our own kernels that are not for this processor, which are named as skipped. */
export function runnable<C extends Case>({ kernels }: Pick<Runtime, 'kernels'>, cases: readonly C[]): C[] {
  return cases.filter((spec) => {
    const isThere = !spec.op.startsWith('DeepCnn') || kernels.has(spec.op);
    if (!isThere) test(titleOf(spec), { skip: 'there is no such kernel for this processor' });
    return isThere;
  });
}

/** The ops that none of `cases` is about. */
export function withoutCase(ops: Iterable<string>, cases: readonly Case[]): string[] {
  const covered = new Set(cases.map(({ op }) => op));
  return [...ops].filter((op) => !covered.has(op));
}
