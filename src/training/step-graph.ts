// One network's training and evaluation as one graph: forward and backward pass, optimizer, running statistics.

import { gradients } from '../graph/autodiff.js';
import { Graph, type Node, type Tensor } from '../graph/graph.js';
import { cast } from '../graph/ops/array.js';
import { crossEntropy, inTopK } from '../graph/ops/loss.js';
import { mean, sum } from '../graph/ops/math.js';
import { floatConstant, identity, placeholder } from '../graph/ops/source.js';
import type { Signature } from '../graph/saved-model.js';
import type { FloatType } from '../graph/types.js';
import type { Model } from '../models/model.js';
import { type BuildContext, Module } from '../models/module.js';
import { filled, type Parameter, ParameterStore } from '../models/parameters.js';
import { StepRandom } from '../models/step-random.js';
import { type GraphInput, graphInput, type InputImages } from './input.js';
import { createOptimizer, type Optimizer, type OptimizerOptions } from './optimizer.js';

export interface StepGraphOptions {
  model: Model;
  classes: number;
  input: InputImages;
  optimizer: OptimizerOptions;
  /** Type of activations and convolutions. */
  precision?: FloatType;
  /** Whether dropout and stochastic depth drop anything in training; they do by default. */
  dropout?: boolean;
}

/**
 * - `init`: each parameter under its name and in torchvision's shape; `init_random`: draws them instead (seed int32 [2]).
 *   Both set the optimizer's state to zero.
 * - `train_step`: one update (`random_seed` int32 [2] where dropout draws: the run's seed and the step's number); `eval_step`: the same outputs, nothing changed, and the logits.
 * - `read_weights`: what `init` takes. `gradients`: of one training batch, nothing updated.
 */
export type StepName = 'init' | 'init_random' | 'train_step' | 'eval_step' | 'read_weights' | 'gradients';

export interface StepGraph {
  graph: Graph;
  signatures: Record<StepName, Signature>;
  parameters: readonly Parameter[];
  optimizer: Optimizer;
  /** Whether training draws random numbers, and so `train_step` and `gradients` need `random_seed`. */
  random: boolean;
}

export function buildStepGraph(options: StepGraphOptions): StepGraph {
  const graph = new Graph();
  const input = graphInput(graph, options.input);
  const parameters = new ParameterStore(graph);
  const optimizer = createOptimizer(graph, options.optimizer);

  const training = graph.scope('train', () => {
    const random = options.dropout === false ? undefined : new StepRandom(graph);
    const { logits, context } = forward(options, parameters, input, { training: true, random });
    const measured = measure(logits, input.labels, options.classes);
    const read = [...context.reads];
    const found = gradients(
      measured.loss,
      read.map(([, tensor]) => tensor),
    );
    const updates = read.map(([parameter], index) => optimizer.update(parameter, defined(found[index])));
    const byName = read.map(
      ([parameter], index) => [parameter.name, parameter.leaveGraph(defined(found[index]))] as const,
    );
    return {
      outputs: after(graph, [...context.updates, ...updates], measured),
      gradients: Object.fromEntries(byName),
      seed: random?.input,
    };
  });
  const evaluation = graph.scope('eval', () => {
    const { logits } = forward(options, parameters, input, { training: false });
    return { ...measure(logits, input.labels, options.classes), logits };
  });

  const fed = { pixels: input.pixels, labels: input.labels };
  const trained = training.seed ? { ...fed, random_seed: training.seed } : fed;
  return {
    graph,
    parameters: parameters.all,
    optimizer,
    random: training.seed !== undefined,
    signatures: {
      ...initSignatures(graph, parameters.all, optimizer),
      train_step: { inputs: { ...trained, ...optimizer.inputs }, outputs: training.outputs },
      eval_step: { inputs: fed, outputs: evaluation },
      read_weights: { inputs: {}, outputs: readParameters(graph, parameters.all) },
      gradients: { inputs: trained, outputs: training.gradients },
    },
  };
}

function forward(
  { model, classes, precision = 'float32' }: StepGraphOptions,
  parameters: ParameterStore,
  { images }: GraphInput,
  mode: Pick<BuildContext, 'training' | 'random'>,
): { logits: Tensor; context: BuildContext } {
  const context: BuildContext = { parameters, ...mode, reads: new Map(), updates: [] };
  const logits = model.build(new Module(context), cast(images, precision), classes);
  return { logits: cast(logits, 'float32'), context };
}

/** loss: mean over the batch. correct_at_k: how many labels are among their row's k highest scores. */
function measure(logits: Tensor, labels: Tensor, classes: number) {
  const correct = (k: number) => sum(cast(inTopK(logits, labels, Math.min(k, classes)), 'int32'));
  return { loss: mean(crossEntropy(logits, labels)), correct_at_1: correct(1), correct_at_5: correct(5) };
}

/** The same outputs, which appear only once `nodes` have run. */
function after<K extends string>(graph: Graph, nodes: readonly Node[], outputs: Record<K, Tensor>): Record<K, Tensor> {
  return graph.after(nodes, () => {
    const delayed = Object.entries<Tensor>(outputs).map(([name, tensor]) => [name, identity(tensor, name)]);
    return Object.fromEntries(delayed) as Record<K, Tensor>;
  });
}

function initSignatures(graph: Graph, parameters: readonly Parameter[], optimizer: Optimizer) {
  const resetSlots = () => optimizer.slots.map(({ variable }) => variable.assign(filled(graph, 0, variable.shape)));
  const signature = (inputs: Record<string, Tensor>, assign: () => readonly Node[]): Signature => {
    const done = graph.after([...assign(), ...resetSlots()], () => identity(floatConstant(graph, 1), 'done'));
    return { inputs, outputs: { done } };
  };

  const placeholders = graph.scope('init', () =>
    parameters.map(({ name, spec }) => [name, placeholder(graph, name, 'float32', spec.shape)] as const),
  );
  const init = graph.scope('init', () =>
    signature(Object.fromEntries(placeholders), () =>
      parameters.map((parameter, index) =>
        parameter.variable.assign(parameter.enterGraph(defined(placeholders[index])[1])),
      ),
    ),
  );
  const init_random = graph.scope('init_random', () => {
    const seed = placeholder(graph, 'seed', 'int32', [2]);
    return signature({ seed }, () =>
      parameters.map((parameter, index) => parameter.variable.assign(parameter.draw(seed, index))),
    );
  });
  return { init, init_random };
}

function readParameters(graph: Graph, parameters: readonly Parameter[]): Record<string, Tensor> {
  return graph.scope('read_weights', () =>
    Object.fromEntries(
      parameters.map((parameter) => [parameter.name, identity(parameter.leaveGraph(parameter.variable.read()))]),
    ),
  );
}

function defined<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('internal: two lists differ in length');
  return value;
}
