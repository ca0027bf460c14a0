// Optimizers as part of the graph: their state, one update for each storage of parameters, and the few numbers that are
// fed at each step. Storages belong to groups, each with a learning rate and a count of steps of its own.

import { defined } from '../defined.js';
import type { Graph, Node, Tensor } from '../graph/graph.js';
import { floatsOf } from '../graph/ops/array.js';
import { add, mul } from '../graph/ops/math.js';
import { floatConstant, identity, placeholder } from '../graph/ops/source.js';
import { Variable } from '../graph/ops/state.js';
import { type HostTensor, int32 } from '../graph/session.js';
import type { Storage } from '../models/parameters.js';

export type OptimizerOptions =
  /**
   * Kingma and Ba 2015 (arXiv:1412.6980), numerically as torch.optim.Adam; with weight decay as torch.optim.AdamW,
   * Loshchilov and Hutter 2019 (arXiv:1711.05101).
   */
  | { kind: 'adam'; beta1?: number; beta2?: number; epsilon?: number; weightDecay?: number }
  /** As torch.optim.SGD, weight decay included. */
  | { kind: 'sgd'; momentum?: number; weightDecay?: number };

/** `head`: the last layer. `backbone`: the rest. `late`: what is trained only after a while. */
export type Group = 'head' | 'backbone' | 'late';

/** Where a group stands. */
export interface GroupState {
  learningRate: number;
  /** Steps that the group has taken, this one included. */
  step: number;
}

/** PyTorch's names for what an optimizer keeps beside each parameter. */
export type SlotKind = 'exp_avg' | 'exp_avg_sq' | 'momentum_buffer';

export interface OptimizerSlot {
  storage: Storage;
  kind: SlotKind;
  /** Laid out as the storage's own. */
  variable: Variable;
  group: Group;
}

export interface ParameterChange {
  gradient: Tensor;
  /** What the storage held when the gradient was computed. */
  value: Tensor;
  group: Group;
  /** What reads `value`: before all of it has run, TensorFlow would copy the storage in order to change it. */
  readers?: readonly Node[];
}

export interface Optimizer {
  readonly slotKinds: readonly SlotKind[];
  /** The state it keeps beside each storage that it has updates for, zero at first. */
  readonly slots: readonly OptimizerSlot[];
  /** One update. */
  update(storage: Storage, change: ParameterChange): Node[];
  /** What must be fed where updates of these groups run. */
  inputs(groups: ReadonlySet<Group>): Record<string, Tensor>;
  /** The values to feed. */
  feeds(groups: ReadonlyMap<Group, GroupState>): Record<string, HostTensor>;
}

/** Adds an optimizer's constants to the graph; slots and updates come with each storage's `update`. */
export function createOptimizer(graph: Graph, options: OptimizerOptions): Optimizer {
  return options.kind === 'adam' ? adam(graph, options) : sgd(graph, options);
}

function adam(graph: Graph, options: Extract<OptimizerOptions, { kind: 'adam' }>): Optimizer {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0 } = options;
  const constants = { beta1: floatConstant(graph, beta1), beta2: floatConstant(graph, beta2) };
  const { slots, slot } = slotList(graph);
  const scalars = scalarTable(graph, {
    learning_rate: ({ learningRate }) => learningRate,
    beta1_power: ({ step }) => beta1 ** step,
    beta2_power: ({ step }) => beta2 ** step,
    // PyTorch adds epsilon after correcting the second moment's bias, TensorFlow before it.
    epsilon: ({ step }) => epsilon * Math.sqrt(1 - beta2 ** step),
  });
  return {
    ...scalars,
    slotKinds: ['exp_avg', 'exp_avg_sq'],
    slots,
    update(storage, { gradient, value, group, readers = [] }) {
      const { learning_rate: rate, beta1_power: beta1Power, beta2_power: beta2Power, epsilon: fed } = scalars.of(group);
      const moments = { first: slot(storage, 'exp_avg', group), second: slot(storage, 'exp_avg_sq', group) };
      const update = { ...constants, beta1Power, beta2Power, rate, epsilon: fed };
      const decay = () => {
        const factor = floatConstant(graph, weightDecay);
        // Not before the gradient is there: what is subtracted would lie there for as long, and nothing is to change where a
        // guard holds the gradient back.
        const { node: found } = identity(gradient);
        return graph.after([found, ...readers], () => storage.variable.subtract(mul(value, mul(rate, factor))));
      };
      // First, as torch does.
      const before = weightDecay === 0 ? readers : [decay()];
      return [graph.after(before, () => storage.variable.applyAdam(gradient, moments, update))];
    },
  };
}

function sgd(graph: Graph, options: Extract<OptimizerOptions, { kind: 'sgd' }>): Optimizer {
  const { momentum = 0.9, weightDecay = 0 } = options;
  const factor = floatConstant(graph, momentum);
  const { slots, slot } = slotList(graph);
  const scalars = scalarTable(graph, { learning_rate: ({ learningRate }) => learningRate });
  return {
    ...scalars,
    slotKinds: ['momentum_buffer'],
    slots,
    update(storage, { gradient, value, group, readers = [] }) {
      const { learning_rate: rate } = scalars.of(group);
      const accumulator = slot(storage, 'momentum_buffer', group);
      const decay = () => {
        const share = floatConstant(graph, weightDecay);
        return graph.after(readers, () => add(gradient, mul(value, share)));
      };
      const decayed = weightDecay === 0 ? gradient : decay();
      const options = { rate, momentum: factor };
      return [graph.after(readers, () => storage.variable.applyMomentum(decayed, accumulator, options))];
    },
  };
}

/**
 * The scalars that are fed for each group, made when a group is first used. They are fed as their bits: TensorFlow.js sends
 * a float to a GPU, fetches it from there and sends it once more, and leaves integers where they are.
 */
function scalarTable<K extends string>(graph: Graph, values: Record<K, (state: GroupState) => number>) {
  const names = Object.keys(values) as K[];
  const forEach = <T>(make: (name: K) => T) =>
    Object.fromEntries(names.map((name) => [name, make(name)])) as Record<K, T>;
  const made = new Map<Group, { bits: Record<K, Tensor>; scalars: Record<K, Tensor> }>();
  const of = (group: Group) => {
    const known = made.get(group);
    if (known) return known;
    const bits = forEach((name) => placeholder(graph, `${group}/${name}`, 'int32', []));
    const fresh = { bits, scalars: graph.onHost(() => forEach((name) => floatsOf(bits[name]))) };
    made.set(group, fresh);
    return fresh;
  };
  const named = <T>(groups: Iterable<Group>, find: (group: Group, name: K) => T): Record<string, T> =>
    Object.fromEntries(
      [...groups].flatMap((group) => names.map((name) => [`${group}_${name}`, find(group, name)] as const)),
    );
  return {
    of: (group: Group) => of(group).scalars,
    inputs: (groups: ReadonlySet<Group>) => named(groups, (group, name) => of(group).bits[name]),
    feeds: (groups: ReadonlyMap<Group, GroupState>) =>
      named(groups.keys(), (group, name) => floatBits(values[name](defined(groups.get(group))))),
  };
}

function floatBits(value: number): HostTensor {
  return int32(new Int32Array(Float32Array.of(value).buffer), []);
}

/** A storage's slots are the same in every step that updates it. */
function slotList(graph: Graph) {
  const slots: OptimizerSlot[] = [];
  const slot = (storage: Storage, kind: SlotKind, group: Group): Variable => {
    const known = slots.find((made) => made.storage === storage && made.kind === kind);
    if (known) return known.variable;
    const variable = new Variable(graph, `${storage.name}/${kind}`, 'float32', storage.variable.shape);
    slots.push({ storage, kind, variable, group });
    return variable;
  };
  return { slots, slot };
}
