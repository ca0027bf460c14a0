// A network's parameters and buffers. They carry torchvision's names, order and shapes everywhere outside the graph;
// inside it, filters lie as TensorFlow wants them, and are turned round only where they enter or leave.

import type { Graph, Tensor } from '../graph/graph.js';
import { broadcastTo, invertPermutation, transpose } from '../graph/ops/array.js';
import { add, mul, sub } from '../graph/ops/math.js';
import { floatConstant, intConstant, randomNormal, randomUniform } from '../graph/ops/source.js';
import { Variable } from '../graph/ops/state.js';
import { elementCount } from '../graph/types.js';

/** How a value is drawn when no pretrained one is there. */
export type Initializer =
  | { kind: 'constant'; value: number }
  | { kind: 'normal'; std: number }
  /** Uniform in [-bound, bound). */
  | { kind: 'uniform'; bound: number };

/** `filter`: [out, in, height, width] outside, [height, width, in, out] in the graph. `plain`: the same in both. */
export type Layout = 'plain' | 'filter';

/** From PyTorch's filter axes to TensorFlow's. */
const filterPermutation = [2, 3, 1, 0];

export interface ParameterSpec {
  /** torchvision's, as `layer1.0.conv1.weight`. */
  name: string;
  /** torchvision's. */
  shape: readonly number[];
  layout: Layout;
  /** False for buffers (running statistics), which the optimizer leaves alone. */
  trainable: boolean;
  initializer: Initializer;
}

export class Parameter {
  readonly spec: ParameterSpec;
  readonly variable: Variable;

  constructor(graph: Graph, spec: ParameterSpec) {
    this.spec = spec;
    this.variable = new Variable(graph, spec.name, 'float32', graphShape(spec));
  }

  get name(): string {
    return this.spec.name;
  }

  /** The number of values. */
  get size(): number {
    return elementCount(this.spec.shape);
  }

  /** Turns a tensor that lies as in the graph to how it lies outside. */
  leaveGraph(value: Tensor): Tensor {
    return this.spec.layout === 'filter' ? transpose(value, invertPermutation(filterPermutation)) : value;
  }

  enterGraph(value: Tensor): Tensor {
    return this.spec.layout === 'filter' ? transpose(value, filterPermutation) : value;
  }

  /** A freshly drawn value; `seed` is int32 [2], and `index` tells this parameter from the others. */
  draw(seed: Tensor, index: number): Tensor {
    const { initializer } = this.spec;
    const { graph } = seed;
    const { shape } = this.variable;
    if (initializer.kind === 'constant') return filled(graph, initializer.value, shape);
    const ownSeed = add(seed, intConstant(graph, [index, 0]));
    if (initializer.kind === 'normal') {
      return mul(randomNormal(ownSeed, shape), floatConstant(graph, initializer.std));
    }
    const symmetric = sub(randomUniform(ownSeed, shape), floatConstant(graph, 0.5));
    return mul(symmetric, floatConstant(graph, 2 * initializer.bound));
  }
}

function graphShape({ shape, layout }: ParameterSpec): readonly number[] {
  return layout === 'filter' ? filterPermutation.map((axis) => shape[axis] ?? 0) : shape;
}

/** A tensor of one value throughout. */
export function filled(graph: Graph, value: number, shape: readonly number[]): Tensor {
  return broadcastTo(floatConstant(graph, value), intConstant(graph, shape), shape);
}

/** Makes each parameter once and hands out the same one when the network is built again over it. */
export class ParameterStore {
  readonly graph: Graph;
  private readonly byName = new Map<string, Parameter>();

  constructor(graph: Graph) {
    this.graph = graph;
  }

  /** In the order of creation, which is torchvision's state_dict order. */
  get all(): readonly Parameter[] {
    return [...this.byName.values()];
  }

  get trainable(): readonly Parameter[] {
    return this.all.filter(({ spec }) => spec.trainable);
  }

  get(spec: ParameterSpec): Parameter {
    const known = this.byName.get(spec.name);
    if (known) return known;
    const made = new Parameter(this.graph, spec);
    this.byName.set(spec.name, made);
    return made;
  }
}
