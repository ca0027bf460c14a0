// With a frozen backbone and nothing random about the images, each image has the same features in every epoch: they are
// computed once, kept on disk, and the head is trained on them, to the same result.

import { createHash } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dataset } from '../data/dataset.js';
import { FeatureList, type FeatureTrouble } from '../data/feature-list.js';
import { createFeatureLoader, type FeatureBatch } from '../data/feature-loader.js';
import { FeatureStore, reservedBytes } from '../data/feature-store.js';
import type { Loader } from '../data/loader.js';
import type { Preprocessing } from '../data/preprocessing.js';
import { shownPath } from '../data/shown-path.js';
import type { Runtime } from '../graph/session.js';
import type { TrainConfig } from '../options.js';
import type { Report, Split } from '../reporting/events.js';
import { isSystemError } from '../system-error.js';
import { version } from '../version.js';
import { formatBytes } from '../wording.js';
import type { FeatureSizes } from './feature-cut.js';
import type { Steps } from './steps.js';

/** Raised when features that were kept before can't be read, or would be others, any more. */
const formatVersion = 1;

/** Features that no run has used for so long are removed. */
const unusedMs = 30 * 24 * 60 * 60 * 1000;

type Pass = keyof FeatureSizes;

/** Whether the options allow to keep features: nothing about the images or the backbone may change. */
export function keepsFeatures(config: TrainConfig): boolean {
  const { cache, freeze, unfreeze_epoch: unfreezeEpoch, augment, mixup, cutmix } = config;
  const isFrozen = freeze === 'backbone' && unfreezeEpoch === 0;
  return cache === 'auto' && isFrozen && augment === 'none' && mixup === 0 && cutmix === 0;
}

export interface FeatureCacheParts {
  config: TrainConfig;
  /** With all weights set. */
  steps: Steps;
  dataset: Dataset;
  preprocessing: Preprocessing;
  runtime: Runtime;
  report: Report;
}

export interface FeaturePass {
  order: Uint32Array;
  firstBatch?: number;
}

/** The features of a run's images, kept in outputs/features. */
export interface FeatureCache {
  load(split: Split, pass: FeaturePass): Loader<FeatureBatch>;
  close(): Promise<void>;
}

/** Undefined where the steps can't be run in two parts, or what is kept can't be opened, of which the user is told. */
export async function openFeatureCache(parts: FeatureCacheParts): Promise<FeatureCache | undefined> {
  const { config, steps, dataset, preprocessing, report } = parts;
  const { featureSizes: sizes } = steps;
  if (!sizes) {
    if (keepsFeatures(config)) {
      const why = config.gpus > 1 ? 'features are kept on one GPU only' : 'this network has no features to keep';
      report({ kind: 'note', message: `Each epoch runs the frozen backbone anew: ${why}` });
    }
    return undefined;
  }
  const root = join(config.root_dir, 'outputs', 'features');
  const opened = await openStores(root, sizes, parts).catch((error: unknown) => {
    if (!isSystemError(error)) throw error;
    report({ kind: 'warning', message: `The features in ${root} can't be used (${error.message})` });
  });
  if (!opened) return undefined;
  const stores: Record<Pass, FeatureStore> = opened;

  const trouble = tellTrouble(report);
  const nameOf = (path: string) => path.slice(config.data_dir.length);
  const listOf = (split: Split) => {
    const images = { train: dataset.train, val: dataset.validation, test: dataset.test }[split];
    return FeatureList.open({ images: images ?? none, store: stores[passOf(split)], nameOf, trouble });
  };
  const lists = { train: await listOf('train'), val: await listOf('val'), test: await listOf('test') };
  const all = Object.values(lists);
  report({
    ...{ kind: 'features', folder: root },
    kept: total(all, ({ keptCount }) => keptCount),
    images: total(all, ({ images }) => images.length),
    bytes: total(all, ({ images, store }) => images.length * store.bytesPerImage),
  });
  await seeIfThereIsRoom(all, trouble);
  return {
    load: (split, { order, firstBatch = 0 }) => {
      const { batch_size: batchSize, workers } = config;
      const compute = (batch: Parameters<Steps['features']>[1]) => steps.features(passOf(split), batch);
      return createFeatureLoader({
        ...{ list: lists[split], order, firstBatch },
        ...{ batchSize, workers, preprocessing, compute },
      });
    },
    close: async () => {
      await Promise.all([stores.train.close(), stores.eval.close()]);
    },
  };
}

const none = {
  length: 0,
  at: (index: number) => {
    throw new Error(`internal: image ${index} of none`);
  },
};

const passOf = (split: Split): Pass => (split === 'train' ? 'train' : 'eval');

async function openStores(root: string, sizes: FeatureSizes, parts: FeatureCacheParts) {
  const key = keyOf(parts);
  const folders = { train: `${key}-train`, eval: `${key}-eval` };
  await removeUnused(root, Object.values(folders));
  return {
    train: await FeatureStore.open(join(root, folders.train), sizes.train),
    eval: await FeatureStore.open(join(root, folders.eval), sizes.eval),
  };
}

/** Stands for all that features depend on, but for the image. */
function keyOf({ config, steps, preprocessing, runtime }: FeatureCacheParts): string {
  const { device, tensorflowVersion, threads } = runtime;
  const { deterministic } = config;
  const { resize, crop, interpolation, exif = false } = preprocessing;
  const about = {
    ...{ formatVersion, version, tensorflowVersion, device, computation: steps.featureDigest },
    ...{ resize, crop, interpolation, exif },
    // Other threads compute other last bits.
    threads: deterministic ? threads : undefined,
  };
  const hash = createHash('sha256').update(JSON.stringify(about));
  const trained = new Set(steps.trained.map(({ name }) => name));
  for (const [name, { shape, data }] of steps.readWeights()) {
    if (trained.has(name)) continue;
    hash.update(`\n${name} ${shape.join()}\n`).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex').slice(0, 32);
}

async function removeUnused(root: string, used: readonly string[]): Promise<void> {
  for (const name of await readdir(root).catch(() => [])) {
    if (used.includes(name) || !/^[0-9a-f]{32}-(?:train|eval)$/.test(name)) continue;
    const path = join(root, name);
    const found = await stat(path).catch(() => undefined);
    if (!found || Date.now() - found.mtimeMs < unusedMs) continue;
    await rm(path, { recursive: true, force: true }).catch(() => {});
  }
}

interface Trouble extends FeatureTrouble {
  noRoom(needed: number, free: number): void;
}

/** Warns of each kind of trouble once. */
function tellTrouble(report: Report): Trouble {
  const warn = (message: string) => report({ kind: 'warning', message });
  let isKeeping = true;
  let isDamageTold = false;
  const stop = (message: string) => {
    if (isKeeping) warn(message);
    isKeeping = false;
  };
  return {
    get isKeeping() {
      return isKeeping;
    },
    notKept: ({ message }) => stop(`Features can't be kept any more (${message}): the run goes on without`),
    noRoom: (needed, free) => {
      const room = `they need ${formatBytes(needed)} in outputs/features, where ${formatBytes(free)} are free and ${formatBytes(reservedBytes)} are left to checkpoints`;
      stop(`There is no room to keep the features of all images: ${room}. Each epoch computes them anew`);
    },
    damaged: (path) => {
      if (!isDamageTold)
        warn(`The features of ${shownPath(path)} are damaged on disk: these, and all such, are computed anew`);
      isDamageTold = true;
    },
  };
}

async function seeIfThereIsRoom(lists: readonly FeatureList[], trouble: Trouble): Promise<void> {
  const needed = total(lists, ({ images, keptCount, store }) => (images.length - keptCount) * store.bytesPerImage);
  const free = await lists[0]?.store.freeBytes();
  if (free !== undefined && needed > Math.max(0, free - reservedBytes)) trouble.noRoom(needed, free);
}

function total(lists: readonly FeatureList[], amountOf: (list: FeatureList) => number): number {
  return lists.reduce((sum, list) => sum + amountOf(list), 0);
}
