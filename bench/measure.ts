// Measures one thing in a process of its own and prints it as a line of JSON. Started by bench.ts.

import { scanImageFolder } from '#src/data/image-folder.js';
import { createLoader } from '#src/data/loader.js';
import { preprocessings } from '#src/data/preprocessing.js';
import { epochOrder } from '#src/data/random.js';
import { defaultWorkers } from '#src/data/threads.js';
import { findModel } from '#src/models/registry.js';
import { gpuMegabytesInUse } from '#src/tensorflow/gpu.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compileSteps } from '#src/training/compile-steps.js';
import { trainEpoch } from '#src/training/epoch.js';
import { floatTypeOf, type Precision } from '#src/training/precision-choice.js';
import type { StepBatch } from '#src/training/steps.js';
import { median } from './median.js';

export interface Work {
  /** `steps`: the training step alone. */
  what: 'training' | 'steps' | 'loader';
  model: string;
  batchSize: number;
  steps: number;
  device: 'auto' | 'cpu' | 'cuda';
  precision: Precision;
  /** A folder of class folders with at least batchSize x steps images; `steps` needs none. */
  folder: string;
}

const rounds = 3;
const classes = 365;
const preprocessing = preprocessings.resnet;

const work = JSON.parse(process.argv[2] ?? '{}') as Work;
console.log(JSON.stringify(work.what === 'loader' ? await measureLoading(work) : await measureTraining(work)));

async function measureTraining({ what, model: name, batchSize, steps: stepCount, device, precision, folder }: Work) {
  const gpuMbBefore = gpuMegabytesInUse();
  const model = findModel(name);
  if (!model) throw new Error(`There is no model ${name}.`);
  const runtime = await openRuntime(device);
  const steps = await compileSteps(runtime, {
    ...{ model, classes, input: preprocessing, optimizer: { kind: 'adam' } },
    precision: floatTypeOf(precision),
    images: batchSize,
  });
  steps.drawWeights(42);
  const batch = syntheticBatch(batchSize);
  steps.train(batch, 1e-3);
  // `performance` counts from the start of the process.
  const firstStepSeconds = performance.now() / 1000;
  steps.train(batch, 1e-3);

  /** TensorFlow keeps what it has taken, so that what is in use is the most that was. */
  const memory = () => ({
    peak_rss_mb: process.resourceUsage().maxRSS / 1024,
    ...(runtime.device === 'cuda' && { peak_gpu_mb: gpuMegabytesInUse() - gpuMbBefore }),
  });
  const perSecond = (ms: number) => (batchSize * stepCount * 1000) / ms;
  if (what === 'steps') {
    const ms: number[] = [];
    for (let step = 0; step < stepCount; step++) ms.push(await timed(() => steps.train(batch, 1e-3)));
    return {
      train_images_per_second: (batchSize * 1000) / median(ms),
      ...memory(),
      first_step_seconds: firstStepSeconds,
      tensorflow: runtime.tensorflowVersion,
    };
  }

  const { images } = await scanImageFolder(folder);
  const realEpoch = async (epoch: number) => {
    const order = epochOrder(images.length, 42, epoch).slice(0, batchSize * stepCount);
    const loader = createLoader({ images, order, batchSize, preprocessing, workers: defaultWorkers() });
    await trainEpoch(steps, loader, { epoch, learningRate: 1e-3, report: () => {} });
  };

  // Steps alone and whole epochs take turns, so that a change of the machine's speed meets both.
  const stepMs: number[] = [];
  const epochMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    stepMs.push(await timed(() => repeat(stepCount, () => steps.train(batch, 1e-3))));
    epochMs.push(await timed(() => realEpoch(round)));
  }
  const peaks = memory();
  const tensors = runtime.tensorCount();

  steps.evaluate(batch);
  const evalMs = await timed(() => repeat(stepCount, () => steps.evaluate(batch)));
  return {
    train_images_per_second: perSecond(median(stepMs)),
    eval_images_per_second: perSecond(evalMs),
    epoch_images_per_second: perSecond(median(epochMs)),
    /** Medians of pairs measured one after the other. */
    epoch_to_step_ratio: median(stepMs.map((ms, round) => ms / (epochMs[round] ?? Number.NaN))),
    ...peaks,
    first_step_seconds: firstStepSeconds,
    tensors,
    device: runtime.device,
  };
}

/** How many images a second the data pipeline delivers when nothing is done with them. */
async function measureLoading({ batchSize, folder }: Work) {
  const { images } = await scanImageFolder(folder);
  const shuffled = epochOrder(images.length, 0, 0);
  // Small folders are gone through several times.
  const order = Uint32Array.from({ length: 2000 + batchSize }, (_, i) => shuffled[i % shuffled.length] ?? 0);
  const loader = createLoader({ images, order, batchSize, preprocessing, workers: defaultWorkers() });
  let delivered = -batchSize;
  let startedAt = 0;
  for await (const batch of loader) {
    // The clock starts with the first batch in hand, when everything is running.
    if (delivered < 0) startedAt = performance.now();
    delivered += batch.size;
  }
  return { loader_images_per_second: (delivered * 1000) / (performance.now() - startedAt) };
}

function syntheticBatch(size: number): StepBatch {
  const pixels = new Uint8Array(size * preprocessing.crop ** 2 * 3);
  for (let at = 0; at < pixels.length; at++) pixels[at] = Math.imul(at, 0x9e3779b1) >>> 24;
  return { pixels, labels: Int32Array.from({ length: size }, (_, index) => index % classes) };
}

async function timed(action: () => unknown): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

function repeat(times: number, action: () => unknown): void {
  for (let done = 0; done < times; done++) action();
}
