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
  /** torch.nn.init.trunc_normal_: normal within [-2, 2], whatever the deviation. */
  | { kind: 'truncated-normal'; std: number }
  /** Uniform in [-bound, bound). */
  | { kind: 'uniform'; bound: number };

/**
 * `filter`: [out, in, height, width] outside, [height, width, in, out] in the graph; `depthwise`: [out, 1, height, width]
 * outside, [height, width, out, 1] in the graph; `plain`: the same in both.
 */
export type Layout = 'plain' | 'filter' | 'depthwise';

/** From PyTorch's axes to TensorFlow's. */
const permutations: Readonly<Record<Exclude<Layout, 'plain'>, readonly number[]>> = {
  filter: [2, 3, 1, 0],
  depthwise: [2, 3, 0, 1],
};

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

  /** From PyTorch's axes to the graph's, where they differ. */
  get permutation(): readonly number[] | undefined {
    const { layout } = this.spec;
    return layout === 'plain' ? undefined : permutations[layout];
  }

  /** Turns a tensor that lies as in the graph to how it lies outside. */
  leaveGraph(value: Tensor): Tensor {
    const { layout } = this.spec;
    return layout === 'plain' ? value : transpose(value, invertPermutation(permutations[layout]));
  }

  enterGraph(value: Tensor): Tensor {
    const { layout } = this.spec;
    return layout === 'plain' ? value : transpose(value, permutations[layout]);
  }

  /** A freshly drawn value; `seed` is int32 [2], and `index` tells this parameter from the others. */
  draw(seed: Tensor, index: number): Tensor {
    const { initializer } = this.spec;
    const { graph } = seed;
    const { shape } = this.variable;
    if (initializer.kind === 'constant') return filled(graph, initializer.value, shape);
    const ownSeed = add(seed, intConstant(graph, [index, 0]));
    if (initializer.kind === 'truncated-normal' && initializer.std > 0.3) {
      throw new Error(`internal: a normal number of deviation ${initializer.std} may lie outside [-2, 2]`);
    }
    if (initializer.kind !== 'uniform') {
      // float32 normal numbers reach less than 6 deviations, so that up to a deviation of 0.3 none needs to be redrawn.
      return mul(randomNormal(ownSeed, shape), floatConstant(graph, initializer.std));
    }
    const symmetric = sub(randomUniform(ownSeed, shape), floatConstant(graph, 0.5));
    return mul(symmetric, floatConstant(graph, 2 * initializer.bound));
  }
}

function graphShape({ shape, layout }: ParameterSpec): readonly number[] {
  return layout === 'plain' ? shape : permutations[layout].map((axis) => shape[axis] ?? 0);
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
