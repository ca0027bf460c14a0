// One pass of a network over a batch, or over a replica's part of it: forward to the scores, and back to the gradients.

import { defined } from '../defined.js';
import { gradients } from '../graph/autodiff.js';
import type { Tensor } from '../graph/graph.js';
import { cast, reshape } from '../graph/ops/array.js';
import { inTopK } from '../graph/ops/loss.js';
import { add, div, mul, sum } from '../graph/ops/math.js';
import type { FloatType } from '../graph/types.js';
import type { Frozen } from '../models/freezing.js';
import type { Model } from '../models/model.js';
import { type BuildContext, Module } from '../models/module.js';
import { type ParameterStore, Reads } from '../models/parameters.js';
import type { StepRandom } from '../models/step-random.js';
import type { GraphInput } from './input.js';
import { type LossOptions, lossWeight, trainingLoss } from './loss.js';
import { type MixInputs, mixImages } from './mixing.js';
import type { ReplicaShare } from './replicas.js';

export interface NetworkOptions extends LossOptions {
  model: Model;
  classes: number;
  /** Type of activations and convolutions. */
  precision?: FloatType;
}

/** What is common to all replicas. */
export interface PassParts {
  input: GraphInput;
  parameters: ParameterStore;
  frozen: Frozen | undefined;
  /** By which the loss is multiplied before it is differentiated, so that small gradients are not lost in float16. */
  lossScale: Tensor | undefined;
}

export interface ReplicaParts {
  random: StepRandom | undefined;
  mixing: MixInputs | undefined;
  /** Its part of the batch; all of it where there is one replica. */
  share: ReplicaShare | undefined;
}

/** Forward and backward pass of one replica, on the device that is current. */
export function differentiate(
  options: NetworkOptions,
  { input, parameters, frozen, lossScale }: PassParts,
  { random, mixing, share }: ReplicaParts,
) {
  const { images, labels } = share ? input.part(share.first, share.count) : input;
  const mixed = mixing ? mixImages(images, mixing) : images;
  const { logits, context } = forward(options, parameters, mixed, { training: true, random, frozen });
  const labelShare = mixing?.mix_label_share;
  const loss = trainingLoss(logits, labels, options.classes, { ...options, labelShare });
  const storages = [...context.reads.trained.keys()];
  const trained = storages.flatMap(({ parameters }) => parameters);
  const found = gradients(
    lossScale ? mul(loss, lossScale) : loss,
    trained.map((parameter) => context.reads.value(parameter)),
  );
  const gradientOf = new Map(trained.map((parameter, index) => [parameter, found[index]]));
  const unscaled = (gradient: Tensor) => (lossScale ? div(gradient, lossScale) : gradient);
  const weight = () => {
    const counted = lossWeight(labels, options.classes, { ...options, labelShare });
    return share ? mul(counted, reshape(share.counts, [])) : counted;
  };
  return {
    ...{ context, logits, labels, loss, weight, counts: share?.counts },
    gradients: new Map(
      storages.map((storage) => [storage, unscaled(storage.join((parameter) => defined(gradientOf.get(parameter))))]),
    ),
  };
}

/** From images [N, H, W, 3] to float32 scores [N, classes]. */
export function forward(
  { model, classes, precision = 'float32' }: NetworkOptions,
  parameters: ParameterStore,
  images: Tensor,
  mode: Pick<BuildContext, 'training' | 'random' | 'frozen'>,
): { logits: Tensor; context: BuildContext } {
  const context: BuildContext = { parameters, ...mode, reads: new Reads(), statistics: [] };
  const logits = model.build(new Module(context), cast(images, precision), classes);
  return { logits: cast(logits, 'float32'), context };
}

interface Scored {
  logits: Tensor;
  labels: Tensor;
  /** 0 where they do not count. */
  counts?: Tensor | undefined;
}

/** correct_at_k: how many labels are among their row's k highest scores. */
export function countCorrect({ logits, labels, counts }: Scored, classes: number) {
  const correct = (k: number) => {
    const count = sum(cast(inTopK(logits, labels, Math.min(k, classes)), 'int32'));
    return counts ? mul(count, reshape(cast(counts, 'int32'), [])) : count;
  };
  return { correct_at_1: correct(1), correct_at_5: correct(5) };
}

/** Of all replicas together. */
export function addCounts(counts: readonly ReturnType<typeof countCorrect>[]): ReturnType<typeof countCorrect> {
  return counts.reduce((total, count) => ({
    correct_at_1: add(total.correct_at_1, count.correct_at_1),
    correct_at_5: add(total.correct_at_5, count.correct_at_5),
  }));
}
