// Optimizers as part of the graph: their state, one update a parameter, and the few numbers that are fed at each step.

import type { Graph, Node, Tensor } from '../graph/graph.js';
import { floatConstant, placeholder } from '../graph/ops/source.js';
import { Variable } from '../graph/ops/state.js';
import { float32, type HostTensor } from '../graph/session.js';
import type { Parameter } from '../models/parameters.js';

export type OptimizerOptions =
  /** Kingma and Ba 2015 (arXiv:1412.6980), numerically as torch.optim.Adam. */
  | { kind: 'adam'; beta1?: number; beta2?: number; epsilon?: number }
  /** As torch.optim.SGD. */
  | { kind: 'sgd'; momentum?: number };

export interface Optimizer {
  /** What must be fed at each step. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** The state it keeps beside each parameter, zero at first: which parameter, which slot, and where. */
  readonly slots: readonly OptimizerSlot[];
  update(parameter: Parameter, gradient: Tensor): Node;
  /** The values to feed; `step` counts from 1. */
  feeds(step: number, learningRate: number): Record<string, HostTensor>;
}

export interface OptimizerSlot {
  parameter: Parameter;
  /** PyTorch's name, as `exp_avg`. */
  name: string;
  variable: Variable;
}

export function createOptimizer(graph: Graph, options: OptimizerOptions): Optimizer {
  return options.kind === 'adam' ? adam(graph, options) : sgd(graph, options);
}

function adam(
  graph: Graph,
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: { beta1?: number; beta2?: number; epsilon?: number },
): Optimizer {
  const scalar = (name: string) => placeholder(graph, name, 'float32', []);
  const inputs = {
    learning_rate: scalar('learning_rate'),
    beta1_power: scalar('beta1_power'),
    beta2_power: scalar('beta2_power'),
    epsilon: scalar('epsilon'),
  };
  const constants = { beta1: floatConstant(graph, beta1), beta2: floatConstant(graph, beta2) };
  const { slots, add } = slotList(graph);
  return {
    inputs,
    slots,
    update: (parameter, gradient) => {
      const moments = { first: add(parameter, 'exp_avg'), second: add(parameter, 'exp_avg_sq') };
      return parameter.variable.applyAdam(gradient, moments, {
        ...constants,
        beta1Power: inputs.beta1_power,
        beta2Power: inputs.beta2_power,
        rate: inputs.learning_rate,
        epsilon: inputs.epsilon,
      });
    },
    feeds: (step, learningRate) => ({
      learning_rate: float32(learningRate),
      beta1_power: float32(beta1 ** step),
      beta2_power: float32(beta2 ** step),
      // PyTorch adds epsilon after correcting the second moment's bias, TensorFlow before it.
      epsilon: float32(epsilon * Math.sqrt(1 - beta2 ** step)),
    }),
  };
}

function sgd(graph: Graph, { momentum = 0.9 }: { momentum?: number }): Optimizer {
  const inputs = { learning_rate: placeholder(graph, 'learning_rate', 'float32', []) };
  const scalars = { rate: inputs.learning_rate, momentum: floatConstant(graph, momentum) };
  const { slots, add } = slotList(graph);
  return {
    inputs,
    slots,
    update: (parameter, gradient) =>
      parameter.variable.applyMomentum(gradient, add(parameter, 'momentum_buffer'), scalars),
    feeds: (_, learningRate) => ({ learning_rate: float32(learningRate) }),
  };
}

function slotList(graph: Graph) {
  const slots: OptimizerSlot[] = [];
  const add = (parameter: Parameter, name: string): Variable => {
    const { variable: weights } = parameter;
    const variable = new Variable(graph, `${parameter.name}/${name}`, 'float32', weights.shape);
    slots.push({ parameter, name, variable });
    return variable;
  };
  return { slots, add };
}
