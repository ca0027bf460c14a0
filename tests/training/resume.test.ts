import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runTraining, type TrainParts } from '#src/commands/train.js';
import { UserError } from '#src/errors.js';
import type { TrainConfig } from '#src/options.js';
import { findCheckpoint } from '#src/training/checkpoint/find.js';
import { choosePrecision } from '#src/training/precision-choice.js';
import { train } from '#src/training/train.js';
import { makeRoot, only, type Part, removeRoot, runPart, savedState, smallConfig, stopAfter } from './small-run.js';

let root: string;
before(async () => {
  root = await makeRoot();
});
after(() => removeRoot(root));

/** In the second epoch, twice in a row. */
const late = [[5, 1]];
/** Before the first step; in the first epoch; after its last step, before validation. */
const early = [[0], [1], [3]];

const recipes: [name: string, stops: number[][], options: Partial<TrainConfig>][] = [
  ['Adam with weight decay', [...early, ...late], { weight_decay: 1e-2, model: 'squeezenet1_1' }],
  [
    'SGD with dropout, augmentation, mixup and CutMix',
    late,
    { optimizer: 'sgd', lr: 0.01, model: 'squeezenet1_1', augment: 'trivial', mixup: 0.2, cutmix: 1 },
  ],
  [
    'a backbone that is unfrozen in the second epoch',
    late,
    { freeze: 'backbone', unfreeze_epoch: 2, lr_backbone: 1e-4 },
  ],
  [
    'a guard against bad losses, and class weights',
    late,
    { nan: 'skip', class_weights: 'auto', model: 'squeezenet1_1' },
  ],
  [
    'steps of several batches',
    [[4, 1], [1]],
    { accumulate: 4, batch_size: 2, model: 'squeezenet1_1', freeze: 'features.6', unfreeze_epoch: 2 },
  ],
];

describe('a run that is stopped and resumed', () => {
  for (const [name, stopsOf, options] of recipes) {
    it(`ends as if it had never been, with ${name}`, async () => {
      const whole = smallConfig(root, { ...options, run_name: 'whole' });
      const { outcome, events } = await runPart(whole);
      assert.equal(outcome, 'finished');
      const expected = await savedState(whole);
      const [tested] = only(events, 'tested');

      for (const stops of stopsOf) {
        const config = smallConfig(root, { ...options, run_name: `stopped-${stops.join('-')}` });
        let part: Part | undefined;
        for (const steps of stops) {
          part = await runPart(config, { ...(part && { resume: 'last' }), stopping: stopAfter(steps) });
          assert.equal(part.outcome, 'stopped');
          const [stopped] = only(part.events, 'stopped');
          assert.match(stopped?.command ?? '', /^npx deep-cnn --resume --run_name=stopped-/);
        }
        const last = await runPart(config, { resume: 'last' });
        assert.equal(last.outcome, 'finished');
        assert.deepEqual(await savedState(config), expected, `stopped after ${stops.join(', then ')}`);
        assert.deepEqual(only(last.events, 'tested')[0]?.metrics, tested?.metrics);
      }
    });
  }

  it('saves nothing of a step that is half done', async () => {
    const change = { accumulate: 3, batch_size: 2, checkpoint_minutes: 0, model: 'resnet18' } as const;
    const whole = smallConfig(root, { ...change, run_name: 'whole-groups' });
    await runPart(whole);
    const config = smallConfig(root, { ...change, run_name: 'half-a-group' });
    // An error of the user's in the middle of a step, as when too many images are bad.
    let seen = 0;
    await assert.rejects(
      train(config, (event) => {
        if (event.kind === 'step' && ++seen === 5) throw new UserError('enough');
      }),
      /enough/,
    );
    const found = await findCheckpoint({ ...config, resume: 'last' });
    assert.deepEqual([found?.checkpoint.state.batch, found?.checkpoint.state.counters.step], [3, 1]);
    await runPart(config, { resume: 'last' });
    assert.deepEqual(await savedState(config), await savedState(whole));
  });

  it('keeps its precision, which auto would choose otherwise here', async () => {
    const auto = choosePrecision('auto', 'cpu');
    const other = auto === 'fp32' ? 'bf16' : 'fp32';
    const change = { model: 'squeezenet1_1', run_name: 'precise' } as const;
    await runPart(smallConfig(root, { ...change, precision: other }), { stopping: stopAfter(2) });
    const config = smallConfig(root, { ...change, precision: 'auto' });
    const { events } = await runPart(config, { resume: 'last', stopping: stopAfter(1) });
    assert.equal(only(events, 'device')[0]?.precision, other);
    const again = await findCheckpoint({ ...config, resume: 'last' });
    assert.equal(again?.checkpoint.options['precision'], other);

    const seen: string[] = [];
    const parts: TrainParts = {
      modelNames: async () => [config.model],
      loadTrainer: async () => async (complete) => {
        seen.push(complete.precision);
        return 'finished';
      },
    };
    for (const given of [['precision'], []]) {
      await runTraining({ ...config, resume: 'last' }, parts, { given: new Set(given) });
    }
    assert.deepEqual(seen, [other, other]);
  });

  it('says where it goes on, and tells the epochs before', async () => {
    const config = smallConfig(root, { run_name: 'told', model: 'squeezenet1_1' });
    await runPart(config, { stopping: stopAfter(5) });
    const { events } = await runPart(config, { resume: 'last' });
    const [resumed] = only(events, 'resumed');
    assert.deepEqual([resumed?.epoch, resumed?.step, resumed?.history.length], [1, 4, 1]);
    const kinds = events.map(({ kind }) => kind);
    assert.ok(kinds.indexOf('resumed') < kinds.indexOf('data'));
    assert.deepEqual(
      only(events, 'step').map(({ epoch, batch, batches }) => [epoch, batch, batches]),
      [
        [1, 2, 3],
        [1, 3, 3],
      ],
    );
  });

  it('only tests when nothing is left to train, and goes on when there is more', async () => {
    const config = smallConfig(root, { run_name: 'longer', model: 'squeezenet1_1', schedule: 'constant' });
    await runPart(config);
    const again = await runPart(config, { resume: 'last' });
    assert.equal(again.outcome, 'finished');
    assert.equal(only(again.events, 'step').length, 0);
    assert.equal(only(again.events, 'tested').length, 1);
    const longer = await runPart({ ...config, epochs: 3 }, { resume: 'last' });
    assert.deepEqual(
      only(longer.events, 'epoch-end').map(({ result }) => result.epoch),
      [3],
    );
  });

  it('takes the checkpoint before when the last is damaged', async () => {
    const config = smallConfig(root, { run_name: 'damaged', model: 'squeezenet1_1', checkpoint_minutes: 1e-9 });
    await runPart(config, { stopping: stopAfter(2) });
    const last = join(root, 'outputs/checkpoints/damaged/last.safetensors');
    const bytes = readFileSync(last);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    writeFileSync(last, bytes);
    const { events, outcome } = await runPart(config, { resume: 'last' });
    assert.equal(outcome, 'finished');
    assert.equal(only(events, 'resumed')[0]?.step, 1);
    const [warning] = only(events, 'warning').filter(({ message }) => message.includes('not whole'));
    assert.match(warning?.message ?? '', /last\.safetensors is not whole .*checksum.*the one before it is used/);
    const reference = smallConfig(root, { run_name: 'undamaged', model: 'squeezenet1_1' });
    await runPart(reference);
    assert.deepEqual(await savedState(config), await savedState(reference));
  });

  it('is refused where every checkpoint is damaged, or there is none', async () => {
    const folder = join(root, 'outputs/checkpoints/hopeless');
    await mkdir(folder, { recursive: true });
    for (const name of ['last', 'last-1']) writeFileSync(join(folder, `${name}.safetensors`), 'no');
    const config = smallConfig(root, { run_name: 'hopeless' });
    await assert.rejects(runPart(config, { resume: 'last' }), (error: Error) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, /^No checkpoint of this run is whole: found .*last\.safetensors: .*last-1/);
      return true;
    });
    await assert.rejects(runPart(smallConfig(root, { run_name: 'nothing' }), { resume: 'last' }), /has no checkpoint/);
    assert.equal(await findCheckpoint({ root_dir: root, run_name: 'nothing', resume: 'auto' }), undefined);
  });

  it('is refused with other data', async () => {
    const config = smallConfig(root, { run_name: 'other-data', model: 'squeezenet1_1' });
    await runPart(config, { stopping: stopAfter(1) });
    const other = await makeRoot({ trainImages: 6 });
    const moved = { ...config, data_dir: join(other, 'data') };
    await assert.rejects(
      runPart(moved, { resume: 'last' }),
      /data is not that of the run any more.* 12 training.* found 14 training/,
    );
    await removeRoot(other);
  });

  it('may have its data elsewhere', async () => {
    const config = smallConfig(root, { run_name: 'moved', model: 'squeezenet1_1' });
    await runPart(config, { stopping: stopAfter(1) });
    const other = await makeRoot();
    const { outcome } = await runPart({ ...config, data_dir: join(other, 'data') }, { resume: 'last' });
    assert.equal(outcome, 'finished');
    await removeRoot(other);
  });

  it('keeps an unfinished run of its name that it did not go on with', async () => {
    const config = smallConfig(root, { run_name: 'twice', model: 'squeezenet1_1' });
    await runPart(config, { stopping: stopAfter(2) });
    const { events } = await runPart({ ...config, seed: 8 });
    assert.match(
      only(events, 'warning')[0]?.message ?? '',
      /A run named twice stopped unfinished in epoch 0 after step 2/,
    );
    const names = await readdir(join(root, 'outputs/checkpoints/twice'));
    assert.ok(names.includes('unfinished.safetensors'), names.join());
    const path = join(root, 'outputs/checkpoints/twice/unfinished.safetensors');
    const rescued = await runPart({ ...config, run_name: 'rescued' }, { resume: path });
    assert.equal(only(rescued.events, 'resumed')[0]?.step, 2);
  });

  it('keeps the best network beside the last', async () => {
    const config = smallConfig(root, {
      run_name: 'best',
      model: 'squeezenet1_1',
      epochs: 4,
      lr: 0.3,
      optimizer: 'sgd',
    });
    const { events } = await runPart(config);
    const history = only(events, 'epoch-end').map(({ result }) => result);
    const found = await findCheckpoint({ ...config, resume: join(root, 'outputs/checkpoints/best/best.safetensors') });
    const lowest = Math.min(...history.map(({ validation }) => validation?.loss ?? Number.NaN));
    assert.equal(found?.checkpoint.state.history.at(-1)?.validation?.loss, lowest);
    const saved = only(events, 'saved').map(({ what }) => what);
    assert.equal(saved[0], 'model');
    assert.match(saved[1] ?? '', new RegExp(`^best model, of epoch ${found?.checkpoint.state.epoch}`));
  });

  it('gives a new run its weights', async () => {
    const config = smallConfig(root, { run_name: 'first', model: 'squeezenet1_1' });
    await runPart(config, { stopping: stopAfter(2) });
    const weights = join(root, 'outputs/checkpoints/first/last.safetensors');
    const { events } = await runPart({ ...config, run_name: 'second', weights, epochs: 1 });
    assert.equal(only(events, 'weights')[0]?.source, weights);
    assert.equal(only(events, 'weights')[0]?.newLayer, undefined);
  });

  it('stops early without improvement, and stays stopped', async () => {
    const config = smallConfig(root, {
      run_name: 'patient',
      model: 'squeezenet1_1',
      epochs: 9,
      lr: 1e-30,
      schedule: 'constant',
      early_stopping: 2,
    });
    const { events } = await runPart(config);
    const epochs = only(events, 'epoch-end').length;
    assert.ok(epochs < 9, String(epochs));
    const again = await runPart(config, { resume: 'last' });
    assert.equal(only(again.events, 'step').length, 0);
  });

  it('stops at a loss that is no number, leaving the checkpoint as it was', async () => {
    const config = smallConfig(root, { run_name: 'broken', lr: 1e38, checkpoint_minutes: 1e-9 });
    await assert.rejects(runPart(config), (error: Error) => {
      assert.ok(error instanceof UserError);
      assert.match(
        error.message,
        /Training broke down at step \d+ \(epoch \d\): expected a finite loss, found a loss of/,
      );
      assert.match(error.message, /\.jpg/);
      return true;
    });
    const found = await findCheckpoint({ ...config, resume: 'last' });
    assert.equal(found?.checkpoint.state.counters.step, 1);
  });
});
