// Gradients of several batches, added up for one update: equal to a batch as large as all of them, but for batch norm,
// which normalises each by itself. The sums live in the session; the running statistics are kept as they were at the
// group's beginning, so that a group can be dropped without a trace.

import type { Graph, Node, Tensor } from '../graph/graph.js';
import { div, mul } from '../graph/ops/math.js';
import { floatConstant } from '../graph/ops/source.js';
import { ownCopy, Variable } from '../graph/ops/state.js';
import type { Signature } from '../graph/saved-model.js';
import { filled, type Storage } from '../models/parameters.js';
import type { Group, Optimizer } from './optimizer.js';
import { doneAfter } from './state-signatures.js';

/** What is trained, its gradient of one batch's mean loss, and its group. */
export interface Change {
  storage: Storage;
  gradient: Tensor;
  group: Group;
}

/**
 * - `begin`: all sums to zero; remembers the running statistics.
 * - `apply`: the optimizer's update by the mean of what was added.
 * - `drop`: the running statistics as they were at the beginning.
 */
export type GroupSignatures = Record<'begin' | 'apply' | 'drop', Signature>;

/** The sums of one kind of step; `name` tells them from another's. */
export class GradientSums {
  readonly #graph: Graph;
  readonly #name: string;
  readonly #weight: Variable;
  readonly #sums = new Map<Storage, { variable: Variable; group: Group }>();

  constructor(graph: Graph, name: string) {
    this.#graph = graph;
    this.#name = name;
    this.#weight = new Variable(graph, `${name}/weight`, 'float32', []);
  }

  /** Adds one batch, which counts `weight` (its images, or their weights). `guarded` holds back what is not sound. */
  add(changes: readonly Change[], weight: Tensor, guarded: (value: Tensor) => Tensor): Node[] {
    const added = changes.map(({ storage, gradient, group }) => {
      const { name, shape } = storage.variable;
      const variable = new Variable(this.#graph, `${this.#name}/${name}`, 'float32', shape);
      this.#sums.set(storage, { variable, group });
      return variable.increase(mul(guarded(gradient), weight));
    });
    return [...added, this.#weight.increase(guarded(weight))];
  }

  /** To be called when the batch's step is built. */
  signatures(optimizer: Optimizer, statistics: readonly Variable[]): GroupSignatures {
    const graph = this.#graph;
    const kept = statistics.map((variable) => {
      return { variable, copy: new Variable(graph, `${this.#name}/${variable.name}`, 'float32', variable.shape) };
    });
    const groups = new Set([...this.#sums.values()].map(({ group }) => group));
    return graph.scope(this.#name, () => ({
      begin: {
        inputs: {},
        outputs: doneAfter(graph, [
          this.#weight.assign(floatConstant(graph, 0)),
          ...[...this.#sums.values()].map(({ variable }) => variable.assign(filled(graph, 0, variable.shape))),
          ...kept.map(({ variable, copy }) => copy.assign(ownCopy(variable.read()))),
        ]),
      },
      apply: { inputs: optimizer.inputs(groups), outputs: doneAfter(graph, this.#updates(optimizer)) },
      drop: {
        inputs: {},
        outputs: doneAfter(
          graph,
          kept.map(({ variable, copy }) => variable.assign(ownCopy(copy.read()))),
        ),
      },
    }));
  }

  #updates(optimizer: Optimizer): Node[] {
    const weight = this.#weight.read();
    return [...this.#sums].flatMap(([storage, { variable, group }]) => {
      const gradient = div(variable.read(), weight);
      const value = storage.variable.read();
      // Weight decay is by what the parameter was before the update.
      return this.#graph.after([value.node], () => optimizer.update(storage, { gradient, value, group }));
    });
  }
}
