// A TensorFlow graph under construction: nodes, the tensors between them, name scopes and control dependencies.
// Ops live in ops/, one definition each; what they have in common is here.

import type { Shape, TensorType } from './types.js';
import { type DType, formatShape } from './types.js';

/** The value of one of a node's attributes (tensorflow/core/framework/attr_value.proto). */
export type Attribute =
  | { dtype: DType }
  | { int: number }
  | { ints: readonly number[] }
  | { float: number }
  | { bool: boolean }
  | { string: string }
  | { strings: readonly string[] }
  | { shape: Shape }
  | { tensor: TensorType; bytes: Uint8Array };

export type Attributes = Readonly<Record<string, Attribute>>;

/** One output of a node. */
export class Tensor {
  readonly node: Node;
  readonly index: number;
  readonly dtype: DType;
  readonly shape: Shape;

  constructor(node: Node, index: number, { dtype, shape }: TensorType) {
    this.node = node;
    this.index = index;
    this.dtype = dtype;
    this.shape = shape;
  }

  get graph(): Graph {
    return this.node.graph;
  }

  /** The name by which other nodes and signatures refer to it. */
  get name(): string {
    return `${this.node.name}:${this.index}`;
  }

  toString(): string {
    return `${this.node.op} ${this.name} ${this.dtype}${formatShape(this.shape)}`;
  }
}

/** The gradient that arrives at each output (none where nothing depends on it) -> the one that leaves at each input. */
export type BackwardFunction = (
  upstream: readonly (Tensor | undefined)[],
  /** Which inputs' gradients somebody wants; the others may be left out. */
  wanted: readonly boolean[],
) => readonly (Tensor | undefined)[];

export interface Node {
  readonly graph: Graph;
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly Tensor[];
  /** Nodes that must have run before this one. */
  readonly controls: readonly Node[];
  /** Where it must run, as TensorFlow names devices (`/device:GPU:1`); undefined where TensorFlow may choose. */
  readonly device: string | undefined;
  readonly attributes: Attributes;
  readonly outputs: readonly Tensor[];
  /** `constant`: no gradient flows through. `final`: differentiating through it is a mistake. */
  readonly backward: BackwardFunction | 'constant' | 'final';
}

export interface NodeSpec {
  op: string;
  name?: string | undefined;
  inputs?: readonly Tensor[];
  attributes?: Attributes;
  outputs: readonly TensorType[];
  backward: (outputs: readonly Tensor[]) => Node['backward'];
}

export interface GraphOptions {
  /** Names of ops beyond TensorFlow's own that will be there when the graph runs. */
  kernels?: ReadonlySet<string> | undefined;
  /** Types of 16 bits that are to be convolved and multiplied in float32, where there are no good kernels for them. */
  widens?: ReadonlySet<DType> | undefined;
}

export class Graph {
  readonly nodes: Node[] = [];
  readonly kernels: ReadonlySet<string>;
  readonly widens: ReadonlySet<DType>;
  private readonly names = new Map<string, number>();
  /** The current scopes, each followed by a slash. */
  private prefix = '';
  private controls: readonly Node[] = [];
  private device: string | undefined;

  constructor({ kernels = new Set(), widens = new Set() }: GraphOptions = {}) {
    this.kernels = kernels;
    this.widens = widens;
  }

  /** Adds a node. Its name is made unique and put under the current scopes. */
  add({ op, name = op, inputs = [], attributes = {}, outputs, backward }: NodeSpec): Node {
    for (const input of inputs) {
      if (input.graph !== this) throw new Error(`internal: ${op} got ${input}, which is of another graph`);
    }
    const made: Tensor[] = [];
    let rule: Node['backward'] | undefined;
    const node: Node = {
      graph: this,
      name: this.uniqueName(name),
      op,
      inputs,
      controls: this.controls,
      device: this.device,
      attributes,
      outputs: made,
      get backward() {
        rule ??= backward(made);
        return rule;
      },
    };
    outputs.forEach((type, index) => {
      made.push(new Tensor(node, index, type));
    });
    this.nodes.push(node);
    return node;
  }

  /** Names of nodes added within `build` start with `name/`. */
  scope<T>(name: string, build: () => T): T {
    const outer = this.prefix;
    this.prefix = `${outer}${legalName(name)}/`;
    try {
      return build();
    } finally {
      this.prefix = outer;
    }
  }

  /** Nodes added within `build` run only after `controls` have. */
  after<T>(controls: readonly Node[], build: () => T): T {
    const outer = this.controls;
    this.controls = [...outer, ...controls];
    try {
      return build();
    } finally {
      this.controls = outer;
    }
  }

  /** Nodes added within `build` run on that device; where TensorFlow chooses, for `undefined`. */
  on<T>(device: string | undefined, build: () => T): T {
    const outer = this.device;
    this.device = device;
    try {
      return build();
    } finally {
      this.device = outer;
    }
  }

  /** Nodes added within `build` run on the processor, where what is fed lies. */
  onHost<T>(build: () => T): T {
    return this.on('/device:CPU:0', build);
  }

  private uniqueName(name: string): string {
    const base = this.prefix + legalName(name);
    const uses = this.names.get(base) ?? 0;
    this.names.set(base, uses + 1);
    return uses === 0 ? base : this.uniqueName(`${name}_${uses}`);
  }
}

function legalName(name: string): string {
  return name.replace(/[^A-Za-z0-9_./-]/g, '_');
}
