// Runs a network's compiled steps batch by batch.

import { float32, type HostTensor, int32, openSession, outputOf, type Runtime } from '../graph/session.js';
import type { ParameterSpec } from '../models/parameters.js';
import type { StateDict } from '../weights/state-dict.js';
import type { FeatureSizes } from './feature-cut.js';
import { type Mix, mixFeeds, unmixed } from './mixing.js';
import type { Group, GroupState, SlotKind } from './optimizer.js';
import { phaseOf, type SlotStep } from './state-signatures.js';
import { buildStepGraph, type StepGraphOptions, type StepName } from './step-graph.js';
import {
  freshCounters,
  phasesAt,
  requireCounters,
  requireTensors,
  type StepCounters,
  type StepState,
  slotSpecsAt,
  type TensorSpec,
} from './step-state.js';

export type { FeatureSizes, StepCounters, StepState };

/** Images and labels as the loader hands them out. */
export interface StepBatch {
  /** The bytes of [N, H, W, 3], row-major; the buffer reaches to the next multiple of 4. */
  pixels: Uint8Array;
  labels: Int32Array;
}

/** What a frozen backbone makes of images, in place of them. */
export interface FeatureBatch {
  /** [N, size], row-major. */
  features: Float32Array;
  labels: Int32Array;
}

export interface StepResult {
  images: number;
  /** False where the guard left the step out: nothing has changed but `counters.skipped`. */
  applied: boolean;
  /** Mean over the batch. */
  loss: number;
  /** How many labels were the highest, or among the five highest scores. */
  correctAt1: number;
  correctAt5: number;
}

export interface StepExtras {
  /** The learning rate of all but the last layer; the same where none is given. */
  backboneRate?: number;
  /** How the images are mixed, where the steps were compiled for it. */
  mix?: Mix;
}

export interface Steps {
  readonly parameters: readonly ParameterSpec[];
  /** Draws all weights anew; the same seed gives the same weights, and the same dropout from the first step on. */
  drawWeights(seed: number): void;
  /** Sets all weights; names and shapes must be exactly `parameters`'. */
  loadWeights(weights: StateDict): void;
  readWeights(): StateDict;
  /** How far the run is; a copy. */
  readonly counters: StepCounters;
  /** What the optimizer keeps of each parameter, by PyTorch's names. */
  readonly slotKinds: readonly SlotKind[];
  /**
   * The optimizer's slots of one kind (or all, which takes the memory of all at once), under names such as
   * `layer1.0.conv1.weight/exp_avg` and in torchvision's shapes; of what is frozen still, there are none.
   */
  readSlots(kind?: SlotKind): StateDict;
  /** Names and shapes of what `readSlots` gives when the run is as far as `counters` say. */
  slotSpecs(counters: StepCounters, kind?: SlotKind): readonly TensorSpec[];
  /**
   * Goes on from a state that was read: the next step is the one that would have come then, to the bit. Throws, having
   * changed nothing, where names, shapes or counters don't fit.
   */
  restore(state: StepState): void;
  /** Those that training changes before `unfreeze`. */
  readonly trained: readonly ParameterSpec[];
  /** One optimizer step: to the bit the same one by the features of `features('train', batch)`. */
  train(batch: StepBatch | FeatureBatch, learningRate: number, extras?: StepExtras): StepResult;
  /** Trains what was frozen from the next step on; for steps that were compiled with `unfreezeLater`. */
  unfreeze(): void;
  /** Whether `unfreeze` has been called since the weights were set. */
  readonly isUnfrozen: boolean;
  /** Scores: [N, classes] in row-major order; the same ones by the features of `features('eval', batch)`. */
  evaluate(batch: StepBatch | FeatureBatch): StepResult & { logits: Float32Array };
  /** Undefined unless the steps were compiled with `features`, for a network that can be cut in two. */
  readonly featureSizes: FeatureSizes | undefined;
  /** Stands for the computation of features, up to the weights' values; undefined where there is none. */
  readonly featureDigest: string | undefined;
  /** What the frozen backbone makes of images: [N, size], row-major. It depends on no weight that is trained. */
  features(pass: keyof FeatureSizes, batch: StepBatch): Float32Array;
  /**
   * The gradient of the training loss on one batch for each of `trained`, as the next step would see it before
   * `unfreeze`; nothing is updated.
   */
  gradients(batch: StepBatch): StateDict;
  dispose(): void;
}

/** Builds and compiles a network's steps. Weights are undefined until they are drawn or loaded. */
export async function compileSteps(runtime: Runtime, options: StepGraphOptions): Promise<Steps> {
  const unfused = runtime.device === 'cuda' && runtime.deterministic;
  const { graph, signatures, parameters, trained, optimizer, groups, ...built } = buildStepGraph({
    ...options,
    unfused,
    kernels: runtime.kernels,
  });
  const session = await openSession<StepName | SlotStep>(runtime, graph, signatures);
  const names = parameters.map(({ name }) => name);
  const random = { train_step: built.random, late_step: built.lateRandom };
  let counters = freshCounters(0);
  const trainingFeeds = (name: 'train_step' | 'late_step', batch: StepBatch | FeatureBatch, mix = unmixed) => ({
    ...feeds(batch),
    ...(random[name] && { random_seed: int32([counters.runSeed, counters.step + counters.skipped + 1]) }),
    ...(options.mixing && mixFeeds(mix)),
  });
  /** The slots in use, by the signature that reads or sets them. */
  const inUse = (kind: SlotKind, of = counters) =>
    phasesAt(of).flatMap((phase) => {
      const slots = optimizer.slots.filter((slot) => slot.kind === kind && phaseOf(slot) === phase);
      const names = slots.map(({ variable }) => variable.name);
      return names.length === 0
        ? []
        : [{ read: `read_${phase}_${kind}`, load: `load_${phase}_${kind}`, names } as const];
    });
  return {
    parameters: parameters.map(({ spec }) => spec),
    trained: trained.map(({ spec }) => spec),
    drawWeights(seed) {
      const runSeed = seed | 0;
      session.run('init_random', { seed: int32([runSeed, 0]) });
      counters = freshCounters(runSeed);
    },
    loadWeights(weights) {
      session.run('init', asInputs(weights));
      counters = freshCounters(counters.runSeed);
    },
    readWeights: () => asStateDict(session.run('read_weights'), names),
    get counters() {
      return { ...counters };
    },
    slotKinds: optimizer.slotKinds,
    readSlots(kind) {
      const kinds = kind === undefined ? optimizer.slotKinds : [kind];
      const parts = kinds.flatMap((each) => inUse(each));
      return new Map(parts.flatMap(({ read, names }) => [...asStateDict(session.run(read), names)]));
    },
    slotSpecs: (of, kind) => slotSpecsAt(optimizer.slots, of, kind),
    restore({ weights, slots, counters: reached }) {
      requireCounters(reached);
      requireTensors(
        'the weights',
        parameters.map(({ spec }) => spec),
        weights,
      );
      requireTensors('the slots', slotSpecsAt(optimizer.slots, reached), slots);
      session.run('init', asInputs(weights));
      for (const { load, names } of optimizer.slotKinds.flatMap((kind) => inUse(kind, reached))) {
        session.run(load, asInputs(slots, names));
      }
      counters = { ...reached };
    },
    train(batch, learningRate, { backboneRate = learningRate, mix } = {}) {
      const step = counters.step + 1;
      const name = counters.frozenSteps === undefined ? 'train_step' : 'late_step';
      const states: Record<Group, GroupState> = {
        head: { step, learningRate },
        backbone: { step, learningRate: backboneRate },
        late: { step: step - (counters.frozenSteps ?? 0), learningRate: backboneRate },
      };
      const used = new Map([...groups[name]].map((group) => [group, states[group]]));
      const feeds = { ...trainingFeeds(name, batch, mix), ...optimizer.feeds(used) };
      const outputs = session.run('features' in batch ? 'train_head' : name, feeds);
      const done = result(batch, outputs);
      if (done.applied) counters.step += 1;
      else counters.skipped += 1;
      return done;
    },
    unfreeze() {
      session.run('unfreeze');
      counters.frozenSteps = counters.step;
    },
    get isUnfrozen() {
      return counters.frozenSteps !== undefined;
    },
    evaluate(batch) {
      const outputs = session.run('features' in batch ? 'eval_head' : 'eval_step', feeds(batch));
      return { ...result(batch, outputs), logits: floats(outputOf(outputs, 'logits')) };
    },
    featureSizes: built.featureSizes,
    featureDigest: built.featureDigest,
    features: (pass, batch) => floats(outputOf(session.run(`${pass}_backbone`, feeds(batch)), 'features')),
    gradients: (batch) =>
      asStateDict(
        session.run('gradients', trainingFeeds('train_step', batch)),
        trained.map(({ name }) => name),
      ),
    dispose: () => session.dispose(),
  };
}

function feeds(batch: StepBatch | FeatureBatch): Record<string, HostTensor> {
  const { labels } = batch;
  if (labels.length === 0) throw new Error('internal: a batch without images');
  if ('features' in batch) {
    const { features } = batch;
    return { features: float32(features, [labels.length, features.length / labels.length]), labels: int32(labels) };
  }
  const { pixels } = batch;
  const words = Math.ceil(pixels.byteLength / 4);
  return { pixels: int32(new Int32Array(pixels.buffer, pixels.byteOffset, words)), labels: int32(labels) };
}

function result({ labels }: Pick<StepBatch, 'labels'>, outputs: Record<string, HostTensor>): StepResult {
  const scalar = (name: string) => outputOf(outputs, name).data[0] ?? Number.NaN;
  return {
    images: labels.length,
    applied: outputs['applied']?.data[0] !== 0,
    loss: scalar('loss'),
    correctAt1: scalar('correct_at_1'),
    correctAt5: scalar('correct_at_5'),
  };
}

function asInputs(tensors: StateDict, names: Iterable<string> = tensors.keys()): Record<string, HostTensor> {
  const input = (name: string): [string, HostTensor][] => {
    const tensor = tensors.get(name);
    return tensor ? [[name, float32(tensor.data, tensor.shape)]] : [];
  };
  return Object.fromEntries([...names].flatMap(input));
}

/** `names` in torchvision's order, which the graph's outputs do not keep. */
function asStateDict(outputs: Record<string, HostTensor>, names: readonly string[]): StateDict {
  return new Map(
    names.map((name) => {
      const tensor = outputOf(outputs, name);
      return [name, { shape: tensor.shape, data: floats(tensor) }];
    }),
  );
}

function floats({ data }: HostTensor): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new Error('internal: a graph returned integers where floats were due');
}
