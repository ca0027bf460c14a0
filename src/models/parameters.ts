// A network's parameters and buffers. They carry torchvision's names, order and shapes everywhere outside the graph;
// inside it, filters lie as TensorFlow wants them, and are turned round only where they enter or leave.

import { defined } from '../defined.js';
import type { Graph, Tensor } from '../graph/graph.js';
import { broadcastTo, concat, invertPermutation, reshape, splitSizes, transpose } from '../graph/ops/array.js';
import { add, mul, sub } from '../graph/ops/math.js';
import { floatConstant, intConstant, randomNormal, randomUniform } from '../graph/ops/source.js';
import { Variable } from '../graph/ops/state.js';
import { elementCount, sameShape } from '../graph/types.js';

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
  /** Where its values lie. */
  readonly storage: Storage;

  constructor(spec: ParameterSpec, storage: Storage) {
    this.spec = spec;
    this.storage = storage;
  }

  get name(): string {
    return this.spec.name;
  }

  /** The number of values. */
  get size(): number {
    return elementCount(this.spec.shape);
  }

  /** Its shape in the graph. */
  get shape(): readonly number[] {
    const { shape, layout } = this.spec;
    return layout === 'plain' ? shape : permutations[layout].map((axis) => shape[axis] ?? 0);
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
    const { shape } = this;
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

/**
 * A variable and the parameters whose values it holds: one in its own shape, or several, flat, one after the other. What
 * happens to all of them at once is one op then, where a GPU takes longer to start one than to compute it.
 */
export class Storage {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly variable: Variable;
  /** The parameter, where there is but one. */
  private readonly only: Parameter | undefined;

  constructor(graph: Graph, name: string, specs: readonly ParameterSpec[]) {
    this.name = name;
    this.parameters = specs.map((spec) => new Parameter(spec, this));
    this.only = this.parameters.length === 1 ? this.parameters[0] : undefined;
    const size = this.parameters.reduce((total, parameter) => total + parameter.size, 0);
    this.variable = new Variable(graph, name, 'float32', this.only?.shape ?? [size]);
  }

  /** The parts, as they lie in the graph, of what has the variable's shape. */
  split(whole: Tensor): ReadonlyMap<Parameter, Tensor> {
    const { parameters, only } = this;
    if (only) return new Map([[only, whole]]);
    const sizes = parameters.map(({ size }) => size);
    const parts = splitSizes(whole, sizes, 0);
    return new Map(parameters.map((parameter, index) => [parameter, reshaped(defined(parts[index]), parameter.shape)]));
  }

  /** The whole that these parts make up. */
  join(partOf: (parameter: Parameter) => Tensor): Tensor {
    if (this.only) return partOf(this.only);
    return concat(
      this.parameters.map((parameter) => reshaped(partOf(parameter), [parameter.size])),
      0,
    );
  }
}

/** Where these parameters' values lie, each storage once. */
export function storagesOf(parameters: Iterable<Parameter>): Storage[] {
  return [...new Set(Array.from(parameters, ({ storage }) => storage))];
}

function reshaped(x: Tensor, shape: readonly number[]): Tensor {
  return sameShape(x.shape, shape) ? x : reshape(x, shape);
}

/** A tensor of one value throughout. */
export function filled(graph: Graph, value: number, shape: readonly number[]): Tensor {
  return broadcastTo(floatConstant(graph, value), intConstant(graph, shape), shape);
}

/** Parameters that are known beforehand, in torchvision's order, and which of them share a storage. */
export interface ParameterPlan {
  specs: readonly ParameterSpec[];
  /** The name of the storage, or none for one of its own. */
  storageOf(spec: ParameterSpec): string | undefined;
}

/** Makes each parameter once and hands out the same one when the network is built again over it. */
export class ParameterStore {
  readonly graph: Graph;
  private readonly byName = new Map<string, Parameter>();

  constructor(graph: Graph, { specs, storageOf }: ParameterPlan = { specs: [], storageOf: () => undefined }) {
    this.graph = graph;
    const sharing = new Map<string, ParameterSpec[]>();
    for (const spec of specs) {
      const name = storageOf(spec) ?? spec.name;
      sharing.set(name, [...(sharing.get(name) ?? []), spec]);
    }
    const made = [...sharing].flatMap(([name, together]) => new Storage(graph, name, together).parameters);
    const found = new Map(made.map((parameter) => [parameter.name, parameter]));
    for (const { name } of specs) this.byName.set(name, defined(found.get(name)));
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
    const made = defined(new Storage(this.graph, spec.name, [spec]).parameters[0]);
    this.byName.set(spec.name, made);
    return made;
  }
}

/** What one pass over a network reads: each storage once. */
export class Reads {
  /** Those that are to be trained, and what was read of each. */
  readonly trained = new Map<Storage, Tensor>();
  readonly #values = new Map<Parameter, Tensor>();

  /** A parameter's value, as it lies in the graph. All of a storage are to be trained, or none. */
  value(parameter: Parameter, { train = false } = {}): Tensor {
    const { storage } = parameter;
    const known = this.#values.get(parameter);
    if (known) return known;
    const whole = storage.variable.read();
    if (train) this.trained.set(storage, whole);
    for (const [part, value] of storage.split(whole)) this.#values.set(part, value);
    return this.value(parameter);
  }
}
