// node build/bench/feature-cache.js [model]: how fast the head is trained on kept features, and how many times as fast as
// a full training step, as one line of JSON. The two take turns.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FeatureList } from '#src/data/feature-list.js';
import { createFeatureLoader } from '#src/data/feature-loader.js';
import { FeatureStore } from '#src/data/feature-store.js';
import { scanImageFolder } from '#src/data/image-folder.js';
import { preprocessings } from '#src/data/preprocessing.js';
import { epochOrder } from '#src/data/random.js';
import { defaultWorkers } from '#src/data/threads.js';
import { findModel } from '#src/models/registry.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compileSteps } from '#src/training/compile-steps.js';
import { trainEpoch } from '#src/training/epoch.js';
import { writeBenchImages } from './images.js';

const [, , name = 'resnet18'] = process.argv;
const batchSize = 32;
const count = 256;
const rounds = 3;
const preprocessing = preprocessings.resnet;
const plan = { learningRate: 1e-3, report: () => {} };

const folder = await mkdtemp(join(tmpdir(), 'deep-cnn-bench-'));
try {
  await writeBenchImages(folder, count);
  console.log(JSON.stringify(await measure()));
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function measure() {
  const model = findModel(name);
  if (!model) throw new Error(`There is no model ${name}.`);
  const runtime = await openRuntime('auto');
  const common = { model, classes: 365, input: preprocessing, optimizer: { kind: 'adam' } } as const;
  const full = await compileSteps(runtime, common);
  const frozen = await compileSteps(runtime, { ...common, freeze: 'backbone', features: true });
  for (const steps of [full, frozen]) steps.drawWeights(42);

  const { images } = await scanImageFolder(join(folder, 'train'));
  const store = await FeatureStore.open(join(folder, 'features'), frozen.featureSizes?.train ?? 0);
  const fail = (error: unknown) => {
    throw error;
  };
  const trouble = { isKeeping: true, notKept: fail, damaged: fail };
  const list = await FeatureList.open({ images, store, nameOf: (path) => path, trouble });
  const compute = (batch: Parameters<typeof frozen.features>[1]) => frozen.features('train', batch);
  const cachedEpoch = async (epoch: number) => {
    const order = epochOrder(images.length, 42, epoch);
    const options = { list, order, batchSize, preprocessing, workers: defaultWorkers(), compute };
    await trainEpoch(frozen, createFeatureLoader(options), { ...plan, epoch });
  };
  const pixels = new Uint8Array(batchSize * preprocessing.crop ** 2 * 3).map((_, i) => Math.imul(i, 0x9e3779b1) >>> 24);
  const batch = { pixels, labels: Int32Array.from({ length: batchSize }, (_, i) => i) };

  full.train(batch, 1e-3);
  const firstEpoch = await perSecond(count, () => cachedEpoch(0));
  const rates: { full: number; cached: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const steps = 1;
    const ofFull = await perSecond(steps * batchSize, () => {
      for (let step = 0; step < steps; step++) full.train(batch, 1e-3);
    });
    const epochs = 8;
    const ofCached = await perSecond(epochs * count, async () => {
      for (let epoch = 1; epoch <= epochs; epoch++) await cachedEpoch(epoch);
    });
    rates.push({ full: ofFull, cached: ofCached });
  }
  await store.close();
  const ratios = rates.map(({ full, cached }) => cached / full).sort((a, b) => a - b);
  return {
    model: name,
    device: runtime.device,
    first_epoch_images_per_second: firstEpoch,
    rounds: rates,
    median_ratio: ratios[1],
  };
}

async function perSecond(images: number, work: () => unknown): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (images * 1000) / (performance.now() - startedAt);
}
