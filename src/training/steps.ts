// Runs a network's compiled steps batch by batch.

import { float32, type HostTensor, int32, openSession, outputOf, type Runtime } from '../graph/session.js';
import type { ParameterSpec } from '../models/parameters.js';
import type { StateDict } from '../weights/state-dict.js';
import { type Mix, mixFeeds, unmixed } from './mixing.js';
import type { Group, GroupState } from './optimizer.js';
import { buildStepGraph, type StepGraphOptions } from './step-graph.js';

/** Images and labels as the loader hands them out. */
export interface StepBatch {
  /** The bytes of [N, H, W, 3], row-major; the buffer reaches to the next multiple of 4. */
  pixels: Uint8Array;
  labels: Int32Array;
}

export interface StepResult {
  images: number;
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
  /** Those that training changes before `unfreeze`. */
  readonly trained: readonly ParameterSpec[];
  /** One optimizer step. */
  train(batch: StepBatch, learningRate: number, extras?: StepExtras): StepResult;
  /** Trains what was frozen from the next step on; for steps that were compiled with `unfreezeLater`. */
  unfreeze(): void;
  /** Scores: [N, classes] in row-major order. */
  evaluate(batch: StepBatch): StepResult & { logits: Float32Array };
  /**
   * The gradient of the training loss on one batch for each of `trained`, as the next step would see it before
   * `unfreeze`; nothing is updated.
   */
  gradients(batch: StepBatch): StateDict;
  dispose(): void;
}

/** Builds and compiles a network's steps. Weights are undefined until they are drawn or loaded. */
export async function compileSteps(runtime: Runtime, options: StepGraphOptions): Promise<Steps> {
  const { graph, signatures, parameters, trained, optimizer, groups, ...built } = buildStepGraph(options);
  const session = await openSession(runtime, graph, signatures);
  const names = parameters.map(({ name }) => name);
  const random = { train_step: built.random, late_step: built.lateRandom };
  let step = 0;
  /** Steps before `unfreeze`; undefined until then. */
  let frozenSteps: number | undefined;
  let runSeed = 0;
  const reset = (run: () => void) => {
    run();
    step = 0;
    frozenSteps = undefined;
  };
  const trainingFeeds = (name: 'train_step' | 'late_step', batch: StepBatch, at: number, mix = unmixed) => ({
    ...feeds(batch),
    ...(random[name] && { random_seed: int32([runSeed, at]) }),
    ...(options.mixing && mixFeeds(mix)),
  });
  return {
    parameters: parameters.map(({ spec }) => spec),
    trained: trained.map(({ spec }) => spec),
    drawWeights(seed) {
      runSeed = seed | 0;
      reset(() => session.run('init_random', { seed: int32([runSeed, 0]) }));
    },
    loadWeights: (weights) => reset(() => session.run('init', asInputs(weights))),
    readWeights: () => asStateDict(session.run('read_weights'), names),
    train(batch, learningRate, { backboneRate = learningRate, mix } = {}) {
      step += 1;
      const name = frozenSteps === undefined ? 'train_step' : 'late_step';
      const states: Record<Group, GroupState> = {
        head: { step, learningRate },
        backbone: { step, learningRate: backboneRate },
        late: { step: step - (frozenSteps ?? 0), learningRate: backboneRate },
      };
      const used = new Map([...groups[name]].map((group) => [group, states[group]]));
      return result(batch, session.run(name, { ...trainingFeeds(name, batch, step, mix), ...optimizer.feeds(used) }));
    },
    unfreeze() {
      session.run('unfreeze');
      frozenSteps = step;
    },
    evaluate(batch) {
      const outputs = session.run('eval_step', feeds(batch));
      return { ...result(batch, outputs), logits: floats(outputOf(outputs, 'logits')) };
    },
    gradients: (batch) =>
      asStateDict(
        session.run('gradients', trainingFeeds('train_step', batch, step + 1)),
        trained.map(({ name }) => name),
      ),
    dispose: () => session.dispose(),
  };
}

function feeds({ pixels, labels }: StepBatch): Record<string, HostTensor> {
  if (labels.length === 0) throw new Error('internal: a batch without images');
  const words = Math.ceil(pixels.byteLength / 4);
  return { pixels: int32(new Int32Array(pixels.buffer, pixels.byteOffset, words)), labels: int32(labels) };
}

function result({ labels }: StepBatch, outputs: Record<string, HostTensor>): StepResult {
  const scalar = (name: string) => outputOf(outputs, name).data[0] ?? Number.NaN;
  return {
    images: labels.length,
    loss: scalar('loss'),
    correctAt1: scalar('correct_at_1'),
    correctAt5: scalar('correct_at_5'),
  };
}

function asInputs(weights: StateDict): Record<string, HostTensor> {
  return Object.fromEntries([...weights].map(([name, { data, shape }]) => [name, float32(data, shape)]));
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
