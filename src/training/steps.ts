// Runs a network's compiled steps batch by batch.

import { collectGarbage } from '../collect-garbage.js';
import { float32, type HostTensor, int32, openSession, outputOf, type Runtime } from '../graph/session.js';
import type { ParameterSpec } from '../models/parameters.js';
import type { StateDict } from '../weights/state-dict.js';
import { availableBytes } from './available-memory.js';
import { type BatchSplit, joined, workInParts } from './batch-parts.js';
import type { FeatureSizes } from './feature-cut.js';
import { type Mix, mixFeeds, unmixed } from './mixing.js';
import type { Group, GroupState, SlotKind } from './optimizer.js';
import { replicaFeeds } from './replicas.js';
import { phaseOf, type SlotStep } from './state-signatures.js';
import { buildStepGraph, type GroupStep, type StepGraphOptions, type StepName } from './step-graph.js';
import { bytesOfWeights, passingShare } from './step-memory.js';
import {
  firstLossScale,
  freshCounters,
  type LossScale,
  nextLossScale,
  phasesAt,
  requireCounters,
  requireTensors,
  type StepCounters,
  type StepState,
  slotSpecsAt,
  type TensorSpec,
} from './step-state.js';
import {
  type AnyStepBatch,
  asInputs,
  asStateDict,
  concatenated,
  type FeatureBatch,
  feeds,
  floats,
  result,
  type StepBatch,
  type StepResult,
} from './step-values.js';

export type { FeatureBatch, FeatureSizes, StepBatch, StepCounters, StepResult, StepState };

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
  train(batch: AnyStepBatch, learningRate: number, extras?: StepExtras): StepResult;
  /**
   * Adds the gradients of a batch to those of its group and moves the running statistics, for steps that were compiled
   * with `accumulate`. A batch that the guard leaves out is not in the group.
   */
  accumulate(batch: AnyStepBatch, extras?: Pick<StepExtras, 'mix'>): StepResult;
  /** One optimizer step by the group's mean gradient, each image counting alike; none where the group has no batch. */
  endGroup(learningRate: number, extras?: Pick<StepExtras, 'backboneRate'>): void;
  /** Forgets the group: all is as before its first batch. */
  dropGroup(): void;
  /** In how many parts each batch is computed, one after the other; more than one only with `accumulate`. */
  parts: number;
  /** Trains what was frozen from the next step on; for steps that were compiled with `unfreezeLater`. */
  unfreeze(): void;
  /** Whether `unfreeze` has been called since the weights were set. */
  readonly isUnfrozen: boolean;
  /** Scores: [N, classes] in row-major order; the same ones by the features of `features('eval', batch)`. */
  evaluate(batch: AnyStepBatch): StepResult & { logits: Float32Array };
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

export interface RunOptions {
  /** Images in a training step, for which memory is laid out so that it takes less; as it comes where not given. */
  images?: number;
  /**
   * Called when there was no memory for a batch and it is computed in so many parts from now on; without it, the error
   * stands. Takes `accumulate` and `guard`: a part then changes nothing before it has all of its gradients.
   */
  onSplit?: ((split: BatchSplit) => void) | undefined;
}

/** Builds and compiles a network's steps. Weights are undefined until they are drawn or loaded. */
export async function compileSteps(
  runtime: Runtime,
  { onSplit, images, ...options }: StepGraphOptions & RunOptions,
): Promise<Steps> {
  const unfused = runtime.device === 'cuda' && runtime.deterministic;
  const { graph, signatures, parameters, trained, optimizer, groups, ...built } = buildStepGraph({
    ...options,
    unfused,
    device: runtime.device,
    kernels: runtime.kernels,
  });
  const session = await openSession<StepName | GroupStep | SlotStep>(runtime, graph, signatures);
  // What building and encoding have left: 140 MB for a ResNet-50.
  collectGarbage();
  if (images !== undefined) {
    const kept = built.bytesPerImage * images + bytesOfWeights(trained, optimizer.slotKinds.length);
    const needed = kept * (1 + passingShare);
    // A batch without room will be cut into parts, of which nothing is known yet.
    if (needed < availableBytes()) runtime.reserve(needed);
  }
  const names = parameters.map(({ name }) => name);
  const random = { train_step: built.random, late_step: built.lateRandom };
  const replicas = options.devices?.length ?? 1;
  const isScaled = options.precision === 'float16';
  const freshly = (runSeed: number): StepCounters => {
    return { ...freshCounters(runSeed), ...(isScaled && { lossScale: firstLossScale }) };
  };
  let counters = freshly(0);
  /** The group of batches that has begun: those that were tried, those that were added, the scale at its beginning. */
  let group: { tried: number; added: number; lossScale: LossScale | undefined } | undefined;
  const trainingFeeds = (name: 'train_step' | 'late_step', batch: AnyStepBatch, mix = unmixed) => ({
    ...feeds(batch),
    ...(random[name] && { random_seed: int32(drawnFrom()) }),
    ...(options.mixing && mixFeeds(mix)),
    ...(counters.lossScale && { loss_scale: float32(counters.lossScale.factor) }),
    ...(replicas > 1 && replicaFeeds(batch.labels.length, replicas)),
  });
  /** The seed of a batch's dropout: another one for each step, and for each batch within it. */
  const drawnFrom = (): [number, number] => {
    const { runSeed, step, skipped } = counters;
    return [(runSeed + Math.imul(group?.tried ?? 0, 0x9e3779b1)) | 0, step + skipped + 1];
  };
  const stepName = () => (counters.frozenSteps === undefined ? 'train_step' : 'late_step');
  const phase = () => (counters.frozenSteps === undefined ? 'train' : 'late');
  const optimizerFeeds = (learningRate: number, backboneRate: number) => {
    const step = counters.step + 1;
    const states: Record<Group, GroupState> = {
      head: { step, learningRate },
      backbone: { step, learningRate: backboneRate },
      late: { step: step - (counters.frozenSteps ?? 0), learningRate: backboneRate },
    };
    return optimizer.feeds(new Map([...groups[stepName()]].map((group) => [group, states[group]])));
  };
  const runStep = (batch: AnyStepBatch, more: Record<string, HostTensor>, mix?: Mix) => {
    const name = stepName();
    const signature = 'features' in batch ? 'train_head' : name;
    const done = result(batch, session.run(signature, { ...trainingFeeds(name, batch, mix), ...more }));
    if (!counters.lossScale) return done;
    counters.lossScale = nextLossScale(counters.lossScale, done.applied);
    return { ...done, lossScale: counters.lossScale.factor };
  };
  const imageBytes = 3 * options.input.crop ** 2;
  const inParts = <T>(batch: AnyStepBatch, work: (part: AnyStepBatch) => T): T[] =>
    workInParts(batch, work, {
      imageBytes,
      parts: counters.parts ?? 1,
      onSplit:
        onSplit &&
        ((split) => {
          counters.parts = Math.max(counters.parts ?? 1, split.parts);
          onSplit(split);
        }),
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
  const steps: Steps = {
    parameters: parameters.map(({ spec }) => spec),
    trained: trained.map(({ spec }) => spec),
    drawWeights(seed) {
      const runSeed = seed | 0;
      session.run('init_random', { seed: int32([runSeed, 0]) });
      counters = freshly(runSeed);
      group = undefined;
    },
    loadWeights(weights) {
      session.run('init', asInputs(weights));
      counters = freshly(counters.runSeed);
      group = undefined;
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
      counters = { ...(isScaled && { lossScale: firstLossScale }), ...reached };
      group = undefined;
    },
    train(batch, learningRate, { backboneRate = learningRate, mix } = {}) {
      if (options.accumulate) {
        const done = steps.accumulate(batch, { ...(mix && { mix }) });
        steps.endGroup(learningRate, { backboneRate });
        return done;
      }
      const done = runStep(batch, optimizerFeeds(learningRate, backboneRate), mix);
      if (done.applied) counters.step += 1;
      else counters.skipped += 1;
      return done;
    },
    accumulate(batch, { mix } = {}) {
      const current = group ?? { tried: 0, added: 0, lossScale: counters.lossScale };
      if (!group) session.run(`begin_${phase()}`);
      group = current;
      return joined(
        inParts(batch, (part) => {
          const done = runStep(part, {}, mix);
          current.tried += 1;
          if (done.applied) current.added += 1;
          return done;
        }),
      );
    },
    endGroup(learningRate, { backboneRate = learningRate } = {}) {
      // All of its images were unreadable.
      if (!group) return;
      const hasGradients = group.added > 0;
      if (hasGradients) session.run(`apply_${phase()}`, optimizerFeeds(learningRate, backboneRate));
      if (hasGradients) counters.step += 1;
      else counters.skipped += 1;
      group = undefined;
    },
    dropGroup() {
      if (!group) return;
      session.run(`drop_${phase()}`);
      if (group.lossScale) counters.lossScale = group.lossScale;
      group = undefined;
    },
    get parts() {
      return counters.parts ?? 1;
    },
    set parts(count) {
      counters.parts = count;
    },
    unfreeze() {
      if (group) throw new Error('internal: a group of batches has not ended');
      session.run('unfreeze');
      counters.frozenSteps = counters.step;
    },
    get isUnfrozen() {
      return counters.frozenSteps !== undefined;
    },
    evaluate(batch) {
      const results = inParts(batch, (part) => {
        const outputs = session.run('features' in part ? 'eval_head' : 'eval_step', feeds(part));
        return { ...result(part, outputs), logits: floats(outputOf(outputs, 'logits')) };
      });
      return { ...joined(results), logits: concatenated(results.map(({ logits }) => logits)) };
    },
    featureSizes: built.featureSizes,
    featureDigest: built.featureDigest,
    features: (pass, batch) => {
      const run = (part: AnyStepBatch) => session.run(`${pass}_backbone`, feeds(part));
      return concatenated(inParts(batch, (part) => floats(outputOf(run(part), 'features'))));
    },
    gradients: (batch) =>
      asStateDict(
        session.run('gradients', trainingFeeds('train_step', batch)),
        trained.map(({ name }) => name),
      ),
    dispose: () => session.dispose(),
  };
  return steps;
}
