// A run that takes seconds: three colours, a few images of each, a small network.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import type { TrainConfig } from '#src/options.js';
import { trainOptions } from '#src/options.js';
import type { TrainingEvent } from '#src/reporting/events.js';
import { findCheckpoint } from '#src/training/checkpoint/find.js';
import { neverStopping, type Stopping } from '#src/training/stopping.js';
import { train } from '#src/training/train.js';
import { readSealedTensors } from '#src/weights/sealed-file.js';

const colours = { blue: [32, 64, 192], green: [32, 160, 64], red: [192, 48, 32] } as const;

/** Makes `outputs/models` and `data/{train,val}/<colour>/*.jpg` in a new folder: noise around each colour. */
export async function makeRoot({ trainImages = 5, testImages = 1 } = {}): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'train-'));
  for (const [split, count] of [
    ['train', trainImages],
    ['val', testImages],
  ] as const) {
    for (const [name, colour] of Object.entries(colours)) {
      const folder = join(root, 'data', split, name);
      await mkdir(folder, { recursive: true });
      for (let index = 0; index < count; index++) await writeNoise(join(folder, `${index}.jpg`), colour, index);
    }
  }
  await mkdir(join(root, 'outputs', 'models'), { recursive: true });
  return root;
}

export function removeRoot(root: string): Promise<void> {
  return rm(root, { recursive: true, force: true });
}

async function writeNoise(path: string, colour: readonly number[], seed: number): Promise<void> {
  const [width, height] = [64 + 8 * seed, 72];
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const noise = (Math.imul(i + 1, 2654435761 + 40503 * seed) >>> 24) - 128;
    return Math.min(255, Math.max(0, (colour[i % 3] ?? 0) + noise / 2));
  });
  await sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg()
    .toFile(path);
}

/** Every option as by default, but for what keeps the run small. */
export function smallConfig(root: string, change: Partial<TrainConfig> = {}): TrainConfig {
  const defaults = Object.fromEntries(Object.entries(trainOptions).map(([name, spec]) => [name, spec.default()]));
  return {
    ...(defaults as TrainConfig),
    epochs: 2,
    batch_size: 5,
    schedule: 'cosine',
    seed: 7,
    model: 'resnet18',
    pretrained: false,
    data_dir: join(root, 'data'),
    workers: 4,
    run_name: 'test',
    root_dir: root,
    device: 'cpu',
    ...change,
  };
}

/** Asks to stop after so many steps of training, validation and test. */
export function stopAfter(steps: number): Stopping {
  let done = 0;
  return {
    ...neverStopping,
    noteStep: () => {
      done += 1;
    },
    reason: () => (done >= steps ? 'the test' : undefined),
  };
}

/** A run, or a part of one, from its start to its end. */
export interface Part {
  outcome: 'finished' | 'stopped';
  events: TrainingEvent[];
}

export async function runPart(
  config: TrainConfig,
  setting: { resume?: string; stopping?: Stopping } = {},
): Promise<Part> {
  const { resume, ...rest } = setting;
  const from = resume === undefined ? undefined : await findCheckpoint({ ...config, resume });
  const events: TrainingEvent[] = [];
  const outcome = await train(config, (event) => events.push(event), { from, ...rest });
  return { outcome, events };
}

export function only<K extends TrainingEvent['kind']>(events: readonly TrainingEvent[], kind: K) {
  return events.filter((event): event is Extract<TrainingEvent, { kind: K }> => event.kind === kind);
}

/** Everything in a run's last checkpoint that must be the same to the bit. */
export async function savedState(config: TrainConfig): Promise<object> {
  const found = await findCheckpoint({ ...config, resume: 'last' });
  assert.ok(found);
  const { path, state } = found.checkpoint;
  const tensors = await readSealedTensors(path);
  const { history, counters, epoch, batch, sums } = state;
  return {
    position: { counters, epoch, batch, sums },
    results: history.map(({ seconds: _, imagesPerSecond: __, ...result }) => result),
    tensors: [...tensors].map(([name, { data }]) => [name, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]),
  };
}
