// The whole of a fine-tuning run: a frozen backbone, opened later, with all that makes up the recipe.

import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import sharp from 'sharp';
import { UserError } from '#src/errors.js';
import { readOptions } from '#src/options/given.js';
import { type TrainConfig, trainOptions } from '#src/options.js';
import { train } from '#src/training/train.js';
import { readSafetensors } from '#src/weights/safetensors.js';
import type { StateDict } from '#src/weights/state-dict.js';
import { assertClose } from '../graph/closeness.js';

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'fine-tuning-'));
  for (const [name, colour, count] of [
    ['blue', '#2040c0', 5],
    ['green', '#20a040', 2],
    ['red', '#c03020', 1],
  ] as const) {
    const folder = join(root, 'data', 'train', name);
    await mkdir(folder, { recursive: true });
    for (let index = 0; index < count; index++) {
      const create = { width: 64, height: 72, channels: 3, background: colour } as const;
      const patch = { create: { ...create, width: 30, height: 20, background: '#f0f0a0' } };
      await sharp({ create })
        .composite([{ input: patch, left: 5 * index, top: 9 * index }])
        .png()
        .toFile(join(folder, `${index}.png`));
    }
  }
  await mkdir(join(root, 'outputs', 'models'), { recursive: true });
});
after(() => rm(root, { recursive: true, force: true }));

const defaults = readOptions(trainOptions, []);
const recipe = { weight_decay: 0.05, label_smoothing: 0.1, mixup: 0.4, class_weights: 'auto' } as const;

interface Run {
  losses: number[];
  file: string;
  /** The weights after each epoch. */
  epochs: StateDict[];
}

let runs = 0;
async function run(change: Partial<TrainConfig>): Promise<Run> {
  const run_name = `run-${runs++}`;
  const file = join(root, 'outputs/models', `${run_name}.safetensors`);
  const losses: number[] = [];
  const saved: string[] = [];
  const config: TrainConfig = {
    ...defaults,
    ...{ run_name, root_dir: root, data_dir: join(root, 'data'), device: 'cpu', pretrained: false },
    ...{ model: 'resnet18', epochs: 1, batch_size: 4, val_split: 0, seed: 7, schedule: 'constant', ...change },
  };
  await train(config, (event) => {
    if (event.kind === 'step') losses.push(event.loss);
    if (event.kind !== 'epoch-end') return;
    saved.push(`${file}.${event.result.epoch}`);
    copyFileSync(file, `${file}.${event.result.epoch}`);
  });
  const weights = await Promise.all(saved.map((path) => readSafetensors(path)));
  return { losses, file, epochs: weights.map((each) => each.weights) };
}

function changed(from: StateDict | undefined, to: StateDict | undefined): string[] {
  assert.ok(from && to);
  return [...from].filter(([name, { data }]) => data.some((v, i) => v !== to.get(name)?.data[i])).map(([name]) => name);
}

describe('fine-tuning', () => {
  const options = { ...recipe, freeze: 'backbone', unfreeze_epoch: 3, epochs: 3 };
  let first: Run;
  before(async () => {
    first = await run(options);
  });

  it('trains the head, and the rest from the chosen epoch on', () => {
    const [one, two, three] = first.epochs;
    assert.equal(first.losses.length, 6);
    assert.ok(first.losses.every(Number.isFinite));
    assert.deepEqual(changed(one, two), ['fc.weight', 'fc.bias']);
    assert.deepEqual(changed(two, three), [...(three?.keys() ?? [])]);
  });

  it('repeats itself with the same seed, and only with it', async () => {
    const again = await run(options);
    assert.deepEqual(again.losses, first.losses);
    assert.deepEqual(changed(again.epochs.at(-1), first.epochs.at(-1)), []);
    const other = await run({ ...options, seed: 8, unfreeze_epoch: 0, epochs: 1 });
    assert.notEqual(other.losses[0], first.losses[0]);
  });

  it('keeps what is frozen as the file of weights has it', async () => {
    const tuned = await run({ ...recipe, weights: first.file, freeze: 'layer3' });
    const moved = changed(first.epochs.at(-1), tuned.epochs.at(-1));
    assert.equal(moved.length, 27);
    assert.ok(moved.every((name) => /^(layer4|fc)\./.test(name)));
  });

  it('refuses to freeze what there is not, or all', async () => {
    for (const freeze of ['layer9', 'fc']) await assert.rejects(run({ freeze }), UserError);
  });
});

describe('each part of the recipe', () => {
  // The last layer alone is trained, of a small network: what else the recipe says tells in the losses of two steps.
  const options = { ...recipe, model: 'squeezenet1_1', freeze: 'backbone' };
  const none = { weight_decay: 0, label_smoothing: 0, mixup: 0, cutmix: 0, class_weights: 'none' } as const;
  let whole: Run;
  before(async () => {
    whole = await run(options);
  });

  for (const name of ['label_smoothing', 'class_weights', 'mixup'] as const) {
    it(`${name} changes the loss from the first step on`, async () => {
      const { losses } = await run({ ...options, [name]: none[name] });
      assert.notEqual(losses[0], whole.losses[0]);
    });
  }

  it('weight_decay changes the weights', async () => {
    const { losses, epochs } = await run({ ...options, weight_decay: 0 });
    assert.equal(losses[0], whole.losses[0]);
    assert.deepEqual(changed(epochs[0], whole.epochs[0]), ['classifier.1.weight', 'classifier.1.bias']);
  });

  it('cutmix mixes otherwise than mixup', async () => {
    const { losses } = await run({ ...options, mixup: 0, cutmix: 1 });
    assert.notEqual(losses[0], whole.losses[0]);
  });

  it('lr_backbone is the rate of all but the head, and follows the schedule', async () => {
    // One step of plain gradient descent: what starts from zero ends at the gradient times the rate.
    const plain = { ...none, model: 'squeezenet1_1', optimizer: 'sgd', momentum: 0, batch_size: 8, lr: 0.01 } as const;
    const afterStep = async (change: Partial<TrainConfig>) => {
      const { epochs } = await run({ ...plain, weights: whole.file, ...change });
      const valuesOf = (name: string) => epochs[0]?.get(name)?.data ?? new Float32Array();
      return { bias: valuesOf('features.3.squeeze.bias'), head: valuesOf('classifier.1.bias') };
    };
    const [even, slow] = [await afterStep({}), await afterStep({ lr_backbone: 0.002 })];
    assert.ok(even.bias.some((value) => Math.abs(value) > 1e-9));
    assertClose(
      slow.bias,
      even.bias.map((value) => value / 5),
      1e-5,
    );
    assert.deepEqual(slow.head, even.head);
    const warming = await afterStep({ lr_backbone: 0.002, warmup: 1, epochs: 2 });
    assertClose(
      warming.bias,
      even.bias.map((value) => value / 10),
      1e-5,
    );
  });
});
