import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { UserError } from '#src/errors.js';
import { readOptions } from '#src/options/given.js';
import { mergeForResume, onResume } from '#src/options/resume-options.js';
import { type TrainConfig, trainOptions } from '#src/options.js';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'deep-cnn-resume-')));
for (const name of ['old', 'new']) mkdirSync(join(folder, name));
after(() => rmSync(folder, { recursive: true }));

const defaults = readOptions(trainOptions, []);

/** Two values of every option, neither of them the default where there are three. */
const pairs: { [Name in keyof TrainConfig]: [saved: TrainConfig[Name], other: TrainConfig[Name]] } = {
  epochs: [7, 8],
  batch_size: [16, 32],
  accumulate: [2, 4],
  auto_batch: [true, false],
  gpus: [2, 4],
  gpu_memory_limit: [512, 1024],
  xla: [true, false],
  lr: [0.01, 0.02],
  schedule: ['cosine', 'step'],
  warmup: [1, 2],
  optimizer: ['sgd', 'adam'],
  weight_decay: [0.1, 0.2],
  momentum: [0.5, 0.6],
  precision: ['bf16', 'fp32'],
  label_smoothing: [0.1, 0.2],
  class_weights: ['auto', 'none'],
  augment: ['basic', 'trivial'],
  mixup: [0.1, 0.2],
  cutmix: [0.5, 1],
  seed: [1, 2],
  model: ['resnet18', 'resnet34'],
  pretrained: [false, true],
  weights: ['/a.pth', '/b.pth'],
  freeze: ['layer1', 'backbone'],
  unfreeze_epoch: [2, 3],
  lr_backbone: [1e-4, 1e-5],
  pre: ['none', 'auto'],
  data_dir: [join(folder, 'old'), join(folder, 'new')],
  val_split: [0.1, 0.3],
  test: [true, false],
  exif: [true, false],
  bad_images: ['error', 'skip'],
  workers: [3, 5],
  cache: ['off', 'auto'],
  run_name: ['first', 'second'],
  root_dir: ['/old', folder],
  device: ['cpu', 'cuda'],
  resume: [undefined, 'auto'],
  checkpoint_minutes: [1, 2],
  keep_checkpoints: [3, 4],
  time_limit: [60, 120],
  early_stopping: [5, 6],
  nan: ['skip', 'error'],
  deterministic: [true, false],
  wandb: [true, false],
  config: ['old.yaml', 'new.yaml'],
};
const names = Object.keys(trainOptions) as (keyof TrainConfig)[];
const savedConfig = Object.fromEntries(names.map((name) => [name, pairs[name][0]]));
/** What a checkpoint's JSON gives back. */
const saved: Record<string, unknown> = JSON.parse(JSON.stringify(savedConfig));

function merge(given: Partial<TrainConfig>, from: Readonly<Record<string, unknown>> = saved) {
  return mergeForResume({ ...defaults, ...given }, new Set(Object.keys(given)), from);
}

function refusalOf(given: Partial<TrainConfig>, from?: Readonly<Record<string, unknown>>): string {
  try {
    merge(given, from);
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    return error.message;
  }
  assert.fail(`took ${JSON.stringify(given)}`);
}

for (const name of names) {
  const policy = onResume[name];
  const [before, other] = pairs[name];
  test(`${name} is ${policy} on a resumed run`, () => {
    const untold = merge({}).config[name];
    assert.deepEqual(untold, policy === 'own' ? defaults[name] : before, 'not given');

    const same = merge({ [name]: before });
    assert.deepEqual([same.config[name], same.changed], [before, []], 'given as it was');

    if (other === before) return;
    if (policy === 'fixed') {
      const message = refusalOf({ [name]: other });
      assert.match(message, /^A resumed run cannot change these options: expected /);
      assert.ok(message.includes(`--${name}=`), message);
      return;
    }
    const { config, changed } = merge({ [name]: other });
    assert.deepEqual(config[name], other, 'given anew');
    assert.deepEqual(changed, policy === 'own' ? [] : [{ name, from: before, to: other }]);
  });
}

test('what would change the model, the data or the steps is fixed, the rest is free', () => {
  const fixed = names.filter((name) => onResume[name] === 'fixed').join(' ');
  assert.equal(
    fixed,
    'batch_size accumulate optimizer weight_decay momentum precision label_smoothing class_weights augment mixup cutmix seed ' +
      'model pretrained weights freeze unfreeze_epoch pre val_split exif',
  );
  const own = names.filter((name) => onResume[name] === 'own').join(' ');
  assert.equal(own, 'run_name root_dir gpu_memory_limit resume time_limit config');
});

test('all that may not change is named at once, with both values and what to do', () => {
  assert.equal(
    refusalOf({ batch_size: 32, optimizer: 'sgd', model: 'resnet34', pretrained: true, epochs: 9 }),
    'A resumed run cannot change these options: ' +
      'expected --batch_size=16 --model=resnet18 --pretrained=False, as in the checkpoint, ' +
      'found --batch_size=32 --model=resnet34 --pretrained=True. ' +
      'Leave them out, or start a new run with another --run_name and the checkpoint as its --weights.',
  );
  assert.match(refusalOf({ seed: 3 }), /Leave it out, or/);
});

test('an option that is left out in JSON was not given', () => {
  const { weights: _, lr_backbone: __, ...rest } = saved;
  for (const absent of [rest, { ...rest, weights: null, lr_backbone: null }]) {
    assert.equal(merge({}, absent).config.weights, undefined);
    assert.equal(merge({}, absent).config.lr_backbone, undefined);
    assert.match(refusalOf({ weights: '/a.pth' }, absent), /expected --weights=none, as in the checkpoint/);
    assert.deepEqual(merge({ lr_backbone: 1e-4 }, absent).changed, [
      { name: 'lr_backbone', from: undefined, to: 1e-4 },
    ]);
  }
});

test('paths are compared as absolute ones, and addresses as they are', () => {
  const relative = { ...saved, weights: resolve('w.pth') };
  assert.equal(merge({ weights: 'w.pth' }, relative).config.weights, resolve('w.pth'));
  const hub = { ...saved, weights: 'hf:a/b' };
  assert.deepEqual(merge({ weights: 'hf:a/b' }, hub).changed, []);
  const moved = merge({ root_dir: folder, data_dir: 'new' });
  assert.equal(moved.config.data_dir, join(folder, 'new'));
  assert.deepEqual(moved.changed, [{ name: 'data_dir', from: join(folder, 'old'), to: join(folder, 'new') }]);
  assert.deepEqual(merge({ root_dir: folder, data_dir: 'old' }).changed, []);
  assert.match(refusalOf({ root_dir: folder, data_dir: 'none' }), /^Cannot find the data/);
});

test('what an older program has not saved is as by default', () => {
  const { exif: _, nan: __, ...older } = saved;
  const { config } = merge({}, older);
  assert.deepEqual([config.exif, config.nan], [false, 'error']);
  assert.match(refusalOf({ exif: true }, older), /expected --exif=False/);
  assert.equal(merge({ nan: 'skip' }, older).config.nan, 'skip');
});

test('names that this program does not know are left out', () => {
  const odd: Record<string, unknown> = JSON.parse(`{ "zebra": 1, "__proto__": { "epochs": 1 }, "toString": 2 }`);
  const { config } = merge({}, odd);
  assert.deepEqual(Object.keys(config).sort(), [...names].sort());
  assert.equal(config.epochs, defaults.epochs);
  assert.ok(Object.isFrozen(config));
});

test('a saved value of the wrong kind or out of range is no value', () => {
  const wrong: Record<string, unknown[]> = {
    epochs: ['7', 0, 1.5, -1, true, [7], {}, []],
    lr: ['0.01', 0, -1],
    model: [7, '', true, ['resnet18']],
    pretrained: ['True', 1, 'false'],
    schedule: ['polynomial', ''],
    precision: ['fp64'],
    data_dir: [''],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const message = refusalOf({}, { ...saved, [name]: value });
      assert.match(message, new RegExp(`^The saved option ${name} can't be used: expected .* found '.*the version`));
    }
  }
  assert.equal(merge({ schedule: 'step' }, { ...saved, schedule: 'polynomial' }).config.schedule, 'step');
  assert.match(refusalOf({ precision: 'fp32' }, { ...saved, precision: 'fp64' }), /option precision can't be used/);
});
