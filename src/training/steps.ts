// What training does with a network, whatever it is computed by: `compileSteps` makes it.

import type { ParameterSpec } from '../models/parameters.js';
import type { StateDict } from '../weights/state-dict.js';
import type { FeatureSizes } from './feature-cut.js';
import type { Mix } from './mixing.js';
import type { SlotKind } from './optimizer.js';
import type { StepCounters, StepState, TensorSpec } from './step-state.js';
import type { AnyStepBatch, StepBatch, StepResult } from './step-values.js';

export type { FeatureSizes, StepBatch, StepCounters, StepResult, StepState };

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
