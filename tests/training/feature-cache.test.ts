// Runs that keep the features of a frozen backbone end as those that don't, to the bit, whatever happens to what is kept.

import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { TrainConfig } from '#src/options.js';
import type { TrainingEvent } from '#src/reporting/events.js';
import { type FeatureCacheParts, keepsFeatures, openFeatureCache } from '#src/training/feature-cache.js';
import type { Stopping } from '#src/training/stopping.js';
import { smallDisk } from '../small-disk.js';
import { makeRoot, only, removeRoot, runPart, savedState, smallConfig, stopAfter } from './small-run.js';

let root: string;
let kept: string;
before(async () => {
  root = await makeRoot({ trainImages: 5, testImages: 1 });
  kept = join(root, 'outputs', 'features');
});
beforeEach(() => rm(kept, { recursive: true, force: true }));
after(() => removeRoot(root));

const frozen = (change: Partial<TrainConfig> = {}) =>
  smallConfig(root, { freeze: 'backbone', epochs: 3, batch_size: 5, ...change });

interface Ended {
  events: TrainingEvent[];
  state: unknown;
}

async function run(config: TrainConfig, setting: { resume?: boolean; stopping?: Stopping } = {}): Promise<Ended> {
  const { resume, ...rest } = setting;
  const { events } = await runPart(config, { ...(resume && { resume: 'last' }), ...rest });
  const tested = only(events, 'tested').map(({ metrics }) => metrics);
  return { events, state: { ...(await savedState(config)), tested } };
}

const warnings = ({ events }: Ended) => only(events, 'warning').map(({ message }) => message);
const keptAtStart = ({ events }: Ended) => only(events, 'features').map(({ kept }) => kept);

/** 12 images to train on, 3 to validate and 3 to test: 5 steps an epoch and one at the end. */
const images = 18;

for (const [name, change] of [
  ['resnet18 and Adam', {}],
  ['efficientnet_lite0, with dropout, and SGD', { model: 'efficientnet_lite0', optimizer: 'sgd', lr: 0.1 }],
  ['steps of several batches', { model: 'squeezenet1_1', batch_size: 2, accumulate: 2 }],
] as const) {
  it(`a run on features ends as one on images, with ${name}; so does the next run, and one that is resumed`, async () => {
    const expected = (await run(frozen({ ...change, cache: 'off', run_name: 'whole' }))).state;
    assert.ok(!existsSync(kept));
    const first = await run(frozen({ ...change, run_name: 'first' }));
    assert.deepEqual([first.state, keptAtStart(first), warnings(first)], [expected, [0], []]);
    const second = await run(frozen({ ...change, run_name: 'second' }));
    assert.deepEqual([second.state, keptAtStart(second), warnings(second)], [expected, [images], []]);
    const [told] = only(second.events, 'features');
    assert.ok(told && told.images === images && told.bytes > 0 && told.folder === kept);

    await rm(kept, { recursive: true });
    const stopped = frozen({ ...change, run_name: 'stopped' });
    // In the first epoch, after its last step, in the second one, and in the third.
    for (const [part, steps] of [1, 2, 4, 4].entries()) {
      const { events } = await run(stopped, { resume: part > 0, stopping: stopAfter(steps) });
      assert.equal(events.at(-1)?.kind, 'stopped');
    }
    assert.deepEqual((await run(stopped, { resume: true })).state, expected);
  });
}

describe('features that are kept', () => {
  const model = 'squeezenet1_1';
  let expected: unknown;
  before(async () => {
    expected = (await run(frozen({ model, cache: 'off', run_name: 'whole' }))).state;
  });

  it('may go at any time, and come from a run without them', async () => {
    const config = frozen({ model, run_name: 'changing' });
    await run(config, { stopping: stopAfter(2) });
    await rm(kept, { recursive: true });
    await run(config, { resume: true, stopping: stopAfter(2) });
    await run({ ...config, cache: 'off' }, { resume: true, stopping: stopAfter(2) });
    assert.deepEqual((await run(config, { resume: true })).state, expected);
  });

  it('are computed anew where they are damaged, with one warning', async () => {
    await run(frozen({ model, run_name: 'first' }));
    for (const folder of readdirSync(kept)) {
      for (const file of readdirSync(join(kept, folder)).filter((name) => name.endsWith('.features'))) {
        const path = join(kept, folder, file);
        const bytes = readFileSync(path);
        for (let byte = 5000; byte < bytes.length; byte += 300_000) bytes.writeUInt8(bytes.readUInt8(byte) ^ 64, byte);
        writeFileSync(path, bytes);
      }
    }
    const second = await run(frozen({ model, run_name: 'second' }));
    assert.deepEqual([second.state, keptAtStart(second)], [expected, [images]]);
    const [warning = '', ...others] = warnings(second);
    assert.match(warning, /^The features of .*\.jpg are damaged on disk: /);
    assert.deepEqual(others, []);
    const third = await run(frozen({ model, run_name: 'third' }));
    assert.deepEqual([third.state, warnings(third)], [expected, []]);
  });

  it('serve two runs at once', async () => {
    const both = await Promise.all(['left', 'right'].map((run_name) => run(frozen({ model, run_name }))));
    for (const each of both) assert.deepEqual([each.state, warnings(each)], [expected, []]);
    const later = await run(frozen({ model, run_name: 'later' }));
    assert.deepEqual([later.state, keptAtStart(later)], [expected, [images]]);
  });

  it('are not written where there is no room, with one warning', async (t) => {
    const disk = smallDisk(t, 1024 * 4096);
    if (disk === undefined) return;
    symlinkSync(disk, kept);
    const found = await run(frozen({ model, run_name: 'full' }));
    const [warning = '', ...others] = warnings(found);
    assert.match(
      warning,
      /^There is no room to keep the features of all images: they need 6 MB in outputs\/features, /,
    );
    assert.deepEqual([found.state, others, readdirSync(disk)], [expected, [], []]);
  });

  it('do without a folder that can not be made, with one warning', async () => {
    writeFileSync(kept, 'a file');
    const found = await run(frozen({ model, run_name: 'refused' }));
    assert.deepEqual(found.state, expected);
    const [warning = '', ...others] = warnings(found);
    assert.match(warning, /^Features can't be kept any more \(ENOTDIR/);
    assert.deepEqual(others, []);
  });

  it('belong to one backbone, one preprocessing and one model', async () => {
    const short = { model, epochs: 1 };
    await run(frozen({ ...short, run_name: 'first' }));
    for (const change of [
      { seed: 8 },
      { pre: 'none' },
      { exif: true },
      { model: 'squeezenet1_0' },
      { deterministic: true },
    ] as const) {
      assert.deepEqual(
        keptAtStart(await run(frozen({ ...short, ...change, run_name: 'other' }))),
        [0],
        JSON.stringify(change),
      );
    }
    const same = { batch_size: 7, lr: 0.1, optimizer: 'sgd', run_name: 'other' } as const;
    assert.deepEqual(keptAtStart(await run(frozen({ ...short, ...same }))), [images]);
  });

  it('are removed when no run has used them for a month', async () => {
    const monthAgo = Date.now() / 1000 - 31 * 24 * 60 * 60;
    const old = join(kept, `${'0'.repeat(32)}-train`);
    const young = join(kept, `${'1'.repeat(32)}-eval`);
    const foreign = join(kept, 'notes');
    for (const folder of [old, young, foreign]) mkdirSync(folder, { recursive: true });
    for (const folder of [old, foreign]) utimesSync(folder, monthAgo, monthAgo);
    await run(frozen({ model, epochs: 1, run_name: 'cleaning' }));
    assert.deepEqual(
      [old, young, foreign].map((folder) => existsSync(folder)),
      [false, true, true],
    );
  });

  it('are those of the image as it is now', async () => {
    await run(frozen({ model, run_name: 'first' }));
    for (const index of [0, 1, 2, 3]) {
      copyFileSync(join(root, 'data/train/blue/4.jpg'), join(root, `data/train/blue/${index}.jpg`));
    }
    const off = await run(frozen({ model, cache: 'off', run_name: 'whole' }));
    assert.notDeepEqual(off.state, expected);
    const on = await run(frozen({ model, run_name: 'second' }));
    assert.deepEqual([on.state, keptAtStart(on)], [off.state, [images - 4]]);
  });
});

it('with several GPUs there are none, and the user is told', async () => {
  const told: TrainingEvent[] = [];
  const open = (change: Partial<TrainConfig>) =>
    openFeatureCache({
      ...{
        config: frozen(change),
        steps: { featureSizes: undefined },
        report: (event: TrainingEvent) => told.push(event),
      },
    } as unknown as FeatureCacheParts);
  for (const change of [{ gpus: 2 }, { gpus: 2, freeze: 'none' }, { gpus: 2, cache: 'off' }] as const) {
    assert.equal(await open(change), undefined);
  }
  const message = 'Each epoch runs the frozen backbone anew: features are kept on one GPU only';
  assert.deepEqual(told, [{ kind: 'note', message }]);
});

it('only a frozen backbone without augmentation has features to keep', () => {
  assert.ok(keepsFeatures(frozen()));
  for (const change of [
    ...[{ cache: 'off' }, { freeze: 'none' }, { freeze: 'layer4' }, { unfreeze_epoch: 2 }],
    ...[{ augment: 'basic' }, { mixup: 0.2 }, { cutmix: 1 }],
  ] as const) {
    assert.ok(!keepsFeatures(frozen(change)), JSON.stringify(change));
  }
});
