// Runs a network's compiled steps batch by batch.

import { collectGarbage } from '../collect-garbage.js';
import { float32, type HostTensor, int32, openSession, outputOf, type Runtime } from '../graph/session.js';
import { availableBytes } from './available-memory.js';
import { type BatchSplit, joined, workInParts } from './batch-parts.js';
import { type Mix, mixFeeds, unmixed } from './mixing.js';
import type { Group, GroupState } from './optimizer.js';
import { replicaFeeds } from './replicas.js';
import type { SlotStep } from './state-signatures.js';
import { buildStepGraph, type GroupStep, type StepGraphOptions, type StepName } from './step-graph.js';
import { bytesOfWeights, passingShare } from './step-memory.js';
import {
  firstLossScale,
  freshCounters,
  type LossScale,
  nextLossScale,
  requireCounters,
  requireTensors,
  type StepCounters,
  slotSpecsAt,
  slotStepsAt,
} from './step-state.js';
import { type AnyStepBatch, asInputs, asStateDict, concatenated, feeds, floats, result } from './step-values.js';
import type { Steps } from './steps.js';

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
    kernels: runtime.kernels,
    slowTypes: runtime.slowTypes,
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
      const parts = slotStepsAt(optimizer.slots, counters, kind);
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
      for (const { load, names } of slotStepsAt(optimizer.slots, reached)) {
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
