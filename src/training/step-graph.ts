// One network's training and evaluation as one graph: forward and backward pass, optimizer, running statistics.

import { defined } from '../defined.js';
import { Graph, type Node, type Tensor } from '../graph/graph.js';
import { cast } from '../graph/ops/array.js';
import { onlyIf, ranOrNot } from '../graph/ops/control.js';
import { add, finite, halfSquares, sum } from '../graph/ops/math.js';
import { identity, placeholder } from '../graph/ops/source.js';
import type { Signature } from '../graph/saved-model.js';
import type { FloatType } from '../graph/types.js';
import type { Frozen } from '../models/freezing.js';
import { type Parameter, ParameterStore, storagesOf } from '../models/parameters.js';
import { StepRandom } from '../models/step-random.js';
import { GradientSums, type GroupSignatures } from './accumulation.js';
import { type FeatureSizes, type FeatureStepName, featureSteps } from './feature-cut.js';
import { graphInput, type InputImages } from './input.js';
import { trainingLoss } from './loss.js';
import { mixInputs } from './mixing.js';
import {
  addCounts,
  countCorrect,
  differentiate,
  forward,
  type NetworkOptions,
  type PassParts,
} from './network-pass.js';
import { createOptimizer, type Group, type Optimizer, type OptimizerOptions } from './optimizer.js';
import { planParameters } from './parameter-plan.js';
import { average, replicaInputs, sharesOf } from './replicas.js';
import { initSignatures, type SlotStep, slotSignatures } from './state-signatures.js';
import { bytesPerImage } from './step-memory.js';

export interface StepGraphOptions extends NetworkOptions {
  input: InputImages;
  optimizer: OptimizerOptions;
  /** Whether dropout and stochastic depth drop anything in training; they do by default. */
  dropout?: boolean;
  /** What stays as it is: none, backbone, or a module up to which all does. */
  freeze?: string;
  /** Whether the rest is to be opened later, by `unfreeze`. */
  unfreezeLater?: boolean;
  /** Whether a frozen backbone and the head are to run apart as well, where the network can be cut in two. */
  features?: boolean;
  /** Whether training steps mix images (the `mix_` inputs). */
  mixing?: boolean;
  /** Whether a training step whose numbers are not finite changes nothing. Always so in float16. */
  guard?: boolean;
  /** Whether training steps only add their gradients up, for one update by those of several batches. */
  accumulate?: boolean;
  /** Devices, as TensorFlow names them, each of which takes a part of each training batch; one, unnamed, by default. */
  devices?: readonly string[] | undefined;
  /** Ops beyond TensorFlow's own that will be there when the steps run. */
  kernels?: ReadonlySet<string>;
  /** Whether small parameters share variables, as they do by default: the same to the bit, by fewer ops. */
  shared?: boolean;
  /** Types whose convolutions and products are done in float32. */
  slowTypes?: ReadonlySet<FloatType>;
}

/**
 * - `init`: each parameter under its name and in torchvision's shape; `init_random`: draws them instead (seed int32 [2]).
 *   Both set the optimizer's state to zero.
 * - `train_step`: one update (`random_seed` int32 [2] where dropout draws: the run's seed and the step's number).
 *   `unfreeze`, once, before the first `late_step`, which trains what was frozen, too.
 * - `eval_step`: the same outputs, nothing changed, and the logits.
 * - `read_weights`: what `init` takes. `gradients`: of one training batch, nothing updated.
 * - `train_backbone` and `train_head`: `train_step` in two parts, by way of `features`; so with `eval_step`.
 * With `accumulate`, `train_step` and `late_step` update no parameter, but add to sums: `begin_train` comes before the
 * first batch of a group and `apply_train` after its last, or `drop_train`; `begin_late` and so on for `late_step`.
 * Besides, a `SlotStep` each for the optimizer's slots.
 */
export type StepName =
  | 'init'
  | 'init_random'
  | 'train_step'
  | 'unfreeze'
  | 'late_step'
  | 'eval_step'
  | 'read_weights'
  | 'gradients'
  | GroupStep
  | FeatureStepName;

export type GroupStep = `${keyof GroupSignatures}_${'train' | 'late'}`;

export interface StepGraph {
  graph: Graph;
  signatures: Record<Exclude<StepName, FeatureStepName | GroupStep>, Signature> &
    Partial<Record<FeatureStepName | GroupStep | SlotStep, Signature>>;
  parameters: readonly Parameter[];
  /** Those that `train_step` trains. */
  trained: readonly Parameter[];
  /** Bytes that `train_step` holds of each image, roughly. */
  bytesPerImage: number;
  optimizer: Optimizer;
  /** The optimizer's groups, in each kind of step. */
  groups: Record<'train_step' | 'late_step', ReadonlySet<Group>>;
  /** Whether `train_step`, and with it `gradients`, draws random numbers and so needs `random_seed`. */
  random: boolean;
  /** Whether `late_step` does. */
  lateRandom: boolean;
  /** Numbers that an image's features are made of, in training and in evaluation; none where there is no such cut. */
  featureSizes: FeatureSizes | undefined;
  /** Stands for the computation of features, up to the weights' values. */
  featureDigest: string | undefined;
}

/** Throws a `UserError` where `freeze` does not fit the model. */
export function buildStepGraph(options: StepGraphOptions): StepGraph {
  // Kernels of our own know no float16, which is for GPUs.
  const graph = new Graph({
    kernels: options.precision === 'float16' ? undefined : options.kernels,
    widens: options.slowTypes,
  });
  const input = graphInput(graph, options.input);
  const { freeze = 'none', shared = true } = options;
  const { frozen, groupOf, ...plan } = planParameters({ ...options, crop: options.input.crop, freeze, shared });
  const parameters = new ParameterStore(graph, plan);
  const optimizer = createOptimizer(graph, options.optimizer);
  const evaluation = graph.scope('eval', () => {
    const { logits, context } = forward(options, parameters, input.images, { training: false });
    const loss = trainingLoss(logits, input.labels, options.classes, { unfused: options.unfused ?? false });
    return {
      outputs: { loss, ...countCorrect({ logits, labels: input.labels }, options.classes), logits },
      reads: context.reads.trained,
    };
  });

  const lossScale = options.precision === 'float16' ? placeholder(graph, 'loss_scale', 'float32', []) : undefined;
  const build = (scope: 'train' | 'late', still: Frozen | undefined) => {
    const sums = options.accumulate ? new GradientSums(graph, `${scope}_sums`) : undefined;
    const parts = { graph, input, parameters, optimizer, frozen: still, groupOf, lossScale, sums };
    return graph.scope(scope, () => trainingStep(options, parts));
  };
  const training = build('train', frozen);
  const late = frozen && options.unfreezeLater ? build('late', undefined) : training;
  const signatureOf = ({ inputs, outputs, groups, group }: typeof training): Signature => {
    return { inputs: { ...inputs, ...(!group && optimizer.inputs(groups)) }, outputs };
  };
  const train_step = signatureOf(training);
  const eval_step = { inputs: { pixels: input.pixels, labels: input.labels }, outputs: evaluation.outputs };
  const changing = new Set(training.storages);
  const evalReads = [...evaluation.reads].flatMap(([storage, value]) => (changing.has(storage) ? [value] : []));
  const apart = options.features
    ? featureSteps({
        train: { whole: train_step, changing: training.changing },
        eval: { whole: eval_step, changing: evalReads },
      })
    : undefined;
  return {
    graph,
    parameters: parameters.all,
    trained: parameters.all.filter(({ storage }) => changing.has(storage)),
    bytesPerImage: training.bytesPerImage,
    optimizer,
    groups: { train_step: training.groups, late_step: late.groups },
    random: 'random_seed' in training.inputs,
    lateRandom: 'random_seed' in late.inputs,
    featureSizes: apart?.sizes,
    featureDigest: apart?.digest,
    signatures: {
      ...initSignatures(graph, parameters.all, optimizer),
      ...slotSignatures(graph, optimizer),
      train_step,
      late_step: signatureOf(late),
      ...(training.group && {
        ...groupSteps('train', training.group),
        ...groupSteps('late', late.group ?? training.group),
      }),
      eval_step,
      gradients: { inputs: training.inputs, outputs: training.gradients },
      ...apart?.signatures,
    },
  };
}

interface StepParts extends PassParts {
  graph: Graph;
  optimizer: Optimizer;
  groupOf: (name: string) => Group;
  /** Where gradients go that are not to change anything yet. */
  sums: GradientSums | undefined;
}

function groupSteps(phase: 'train' | 'late', { begin, apply, drop }: GroupSignatures) {
  return { [`begin_${phase}`]: begin, [`apply_${phase}`]: apply, [`drop_${phase}`]: drop } as Record<
    GroupStep,
    Signature
  >;
}

function trainingStep(options: StepGraphOptions, parts: StepParts) {
  const { graph, input, optimizer, groupOf, lossScale, sums } = parts;
  const random = options.dropout === false ? undefined : new StepRandom(graph);
  const mixing = options.mixing ? mixInputs(graph) : undefined;
  const devices = options.devices ?? [undefined];
  const sharing = devices.length > 1 ? replicaInputs(graph, devices.length) : undefined;
  const shares = sharing && sharesOf(sharing, devices.length);
  const replicas = devices.map((device, index) =>
    graph.on(device, () => differentiate(options, parts, { random, mixing, share: shares?.[index] })),
  );
  const [first] = replicas;
  const { context } = defined(first);
  const { loss, weight, gradients: found } = average(replicas);
  const changes = [...context.reads.trained].map(([storage, value]) => {
    const group = groupOf(defined(storage.parameters[0]).name);
    return { storage, value, gradient: defined(found.get(storage)), group };
  });
  const moved = new Map(context.statistics.map(({ parameter, value }) => [parameter, value]));
  const statistics = storagesOf(moved.keys()).map((storage) => {
    return { variable: storage.variable, value: storage.join((parameter) => defined(moved.get(parameter))) };
  });
  const isSound =
    options.guard || lossScale
      ? areFinite([
          loss,
          ...changes.map(({ gradient }) => halfSquares(gradient)),
          ...statistics.map(({ value }) => sum(value)),
        ])
      : undefined;
  const readers = readersOf(changes.map(({ value }) => value));
  const guarded = (value: Tensor) => (isSound ? onlyIf(isSound, value) : value);
  const updates = [
    ...statistics.map(({ variable, value }) => variable.assign(guarded(value))),
    ...(sums
      ? sums.add(changes, weight(), guarded)
      : changes.flatMap(({ storage, gradient, ...change }) =>
          optimizer.update(storage, {
            ...change,
            gradient: guarded(gradient),
            readers: readers.get(change.value) ?? [],
          }),
        )),
  ];
  const measured = { loss, ...addCounts(replicas.map((replica) => countCorrect(replica, options.classes))) };
  const outputs = isSound
    ? after(graph, [ranOrNot(isSound, updates)], { ...measured, applied: cast(isSound, 'int32') })
    : after(graph, updates, measured);
  return {
    inputs: {
      pixels: input.pixels,
      labels: input.labels,
      ...mixing,
      ...(random?.input && { random_seed: random.input }),
      ...(lossScale && { loss_scale: lossScale }),
      ...sharing,
    },
    outputs,
    gradients: Object.fromEntries(
      changes.flatMap(({ storage, gradient }) =>
        [...storage.split(gradient)].map(([parameter, own]) => [parameter.name, parameter.leaveGraph(own)]),
      ),
    ),
    storages: changes.map(({ storage }) => storage),
    bytesPerImage: bytesPerImage(defined(first).loss, defined(first).gradients.values()),
    /** What differs from step to step for the same image. */
    changing: [
      ...replicas.flatMap((replica) => [...replica.context.reads.trained.values()]),
      ...(random?.input ? [random.input] : []),
      ...(lossScale ? [lossScale] : []),
    ],
    /** How a group of batches begins and ends, where steps only add up. */
    group: sums?.signatures(
      optimizer,
      statistics.map(({ variable }) => variable),
    ),
    groups: new Set(changes.map(({ group }) => group)),
  };
}

/** Ops whose outputs may lie in their input's memory. */
const views: ReadonlySet<string> = new Set(['Reshape', 'SplitV']);

/** The nodes that read each of `values`, or a part of it. */
function readersOf(values: readonly Tensor[]): ReadonlyMap<Tensor, readonly Node[]> {
  const readers = new Map<Tensor, Node[]>(values.map((value) => [value, []]));
  const ofPart = new Map(readers);
  for (const node of values[0]?.graph.nodes ?? []) {
    for (const input of node.inputs) {
      const found = ofPart.get(input);
      found?.push(node);
      if (found && views.has(node.op)) for (const part of node.outputs) ofPart.set(part, found);
    }
  }
  return readers;
}

/** Whether all of these scalars are finite: so is their sum, save where they are near to overflowing anyway. */
function areFinite(scalars: readonly Tensor[]): Tensor {
  return finite(scalars.reduce((total, scalar) => add(total, scalar)));
}

/** The same outputs, which appear only once `nodes` have run. */
function after<K extends string>(graph: Graph, nodes: readonly Node[], outputs: Record<K, Tensor>): Record<K, Tensor> {
  return graph.after(nodes, () => {
    const delayed = Object.entries<Tensor>(outputs).map(([name, tensor]) => [name, identity(tensor, name)]);
    return Object.fromEntries(delayed) as Record<K, Tensor>;
  });
}
