// Variables that live in the session, and the optimizers' updates of them.

import type { Graph, Node, Tensor } from '../graph.js';
import { apply, applyAll, type NoOptions, type OpDefinition, type OpFamily } from '../op.js';
import type { DType, Shape } from '../types.js';

interface VariableOptions {
  sharedName: string;
  dtype: DType;
  shape: Shape;
}

const varHandleOp: OpDefinition<VariableOptions> = {
  op: 'VarHandleOp',
  outputs: () => [{ dtype: 'resource', shape: [] }],
  attributes: (_, { sharedName, dtype, shape }) => ({
    dtype: { dtype },
    shape: { shape },
    shared_name: { string: sharedName },
    container: { string: '' },
  }),
  gradient: 'constant',
};

const readVariableOp: OpDefinition<{ dtype: DType; shape: Shape }> = {
  op: 'ReadVariableOp',
  outputs: (_, type) => [type],
  attributes: (_, { dtype }) => ({ dtype: { dtype } }),
  gradient: 'constant',
};

const assignVariableOp: OpDefinition<NoOptions> = {
  op: 'AssignVariableOp',
  outputs: () => [],
  attributes: ([, value]) => ({ dtype: { dtype: value?.dtype ?? 'float32' }, validate_shape: { bool: false } }),
  gradient: 'final',
};

const assignSubVariableOp: OpDefinition<NoOptions> = {
  op: 'AssignSubVariableOp',
  outputs: () => [],
  attributes: ([, value]) => ({ dtype: { dtype: value?.dtype ?? 'float32' } }),
  gradient: 'final',
};

const assignAddVariableOp: OpDefinition<NoOptions> = {
  op: 'AssignAddVariableOp',
  outputs: () => [],
  attributes: ([, value]) => ({ dtype: { dtype: value?.dtype ?? 'float32' } }),
  gradient: 'final',
};

// Kingma and Ba 2015, arXiv:1412.6980. With t steps done and l = lr sqrt(1 - β₂ᵗ) / (1 - β₁ᵗ):
//   m = β₁ m + (1 - β₁) g, v = β₂ v + (1 - β₂) g², w = w - l m / (sqrt(v) + ε)
const applyAdamOp: OpDefinition<NoOptions> = {
  op: 'ResourceApplyAdam',
  outputs: () => [],
  attributes: (inputs) => ({
    T: { dtype: inputs.at(-1)?.dtype ?? 'float32' },
    use_locking: { bool: false },
    use_nesterov: { bool: false },
  }),
  gradient: 'final',
};

// a = μ a + g, w = w - lr a (as torch.optim.SGD without dampening)
const applyMomentumOp: OpDefinition<NoOptions> = {
  op: 'ResourceApplyMomentum',
  outputs: () => [],
  attributes: ([, , , gradient]) => ({
    T: { dtype: gradient?.dtype ?? 'float32' },
    use_locking: { bool: false },
    use_nesterov: { bool: false },
  }),
  gradient: 'final',
};

const deepCopyOp: OpDefinition<NoOptions> = {
  op: 'DeepCopy',
  outputs: ([x]) => (x ? [x] : []),
  attributes: ([x]) => (x ? { T: { dtype: x.dtype } } : {}),
  gradient: 'final',
};

export const stateOps: OpFamily = [
  ...[varHandleOp, readVariableOp, assignVariableOp, assignSubVariableOp, assignAddVariableOp, deepCopyOp],
  ...[applyAdamOp, applyMomentumOp],
];

/**
 * The same value in memory of its own. What is fed may lie in the caller's memory, which a variable would go on using
 * (and give back from one of TensorFlow's threads, where JavaScript must not be touched).
 */
export function ownCopy(x: Tensor): Tensor {
  return apply(deepCopyOp, [x], {});
}

/** A value that the session keeps from run to run. */
export class Variable {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  private readonly handle: Tensor;

  constructor(graph: Graph, name: string, dtype: DType, shape: readonly number[]) {
    this.name = name;
    this.dtype = dtype;
    this.shape = shape;
    // All that touches it has to be where it is, whoever asks.
    this.handle = graph.on(undefined, () =>
      apply(varHandleOp, [], { sharedName: name, dtype, shape }, { graph, name }),
    );
  }

  /** Its value at this point of the run. */
  read(): Tensor {
    const { dtype, shape } = this;
    return this.handle.graph.on(undefined, () =>
      apply(readVariableOp, [this.handle], { dtype, shape }, { name: `${this.name}/read` }),
    );
  }

  assign(value: Tensor): Node {
    return applyAll(assignVariableOp, [this.handle, value], {}, { name: `${this.name}/assign` });
  }

  subtract(value: Tensor): Node {
    return applyAll(assignSubVariableOp, [this.handle, value], {}, { name: `${this.name}/subtract` });
  }

  increase(value: Tensor): Node {
    return applyAll(assignAddVariableOp, [this.handle, value], {}, { name: `${this.name}/increase` });
  }

  /** One Adam update; `moments` are updated too, the scalars are float32. */
  applyAdam(
    gradient: Tensor,
    moments: { first: Variable; second: Variable },
    scalars: { beta1Power: Tensor; beta2Power: Tensor; rate: Tensor; beta1: Tensor; beta2: Tensor; epsilon: Tensor },
  ): Node {
    const { beta1Power, beta2Power, rate, beta1, beta2, epsilon } = scalars;
    const slots = [this.handle, moments.first.handle, moments.second.handle];
    const inputs = [...slots, beta1Power, beta2Power, rate, beta1, beta2, epsilon, gradient];
    return applyAll(applyAdamOp, inputs, {}, { name: `${this.name}/update` });
  }

  /** One update of gradient descent with momentum; `accumulator` is updated too. */
  applyMomentum(gradient: Tensor, accumulator: Variable, scalars: { rate: Tensor; momentum: Tensor }): Node {
    const inputs = [this.handle, accumulator.handle, scalars.rate, gradient, scalars.momentum];
    return applyAll(applyMomentumOp, inputs, {}, { name: `${this.name}/update` });
  }
}
