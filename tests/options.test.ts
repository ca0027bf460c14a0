import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { UserError } from '#src/errors.js';
import { readOptions } from '#src/options/given.js';
import { completeConfig, type TrainConfig, trainOptions } from '#src/options.js';

type Cases = { [Name in keyof TrainConfig]: { good: [text: string, value: TrainConfig[Name]][]; bad: string[] } };

const notNumbers = ['', ' ', '12abc', 'NaN', 'Infinity', '-Infinity', '0x10', '1e999', '1_000', ' 1', '1,5', 'ten'];
const notIntegers = [...notNumbers, '1.0', '1e3', '9007199254740993'];
const notFlags = ['', 'maybe', '2', 'y', 'none'];
const flags: [string, boolean][] = [
  ...['True', 'true', 'TRUE', 'yes', '1'].map((word): [string, boolean] => [word, true]),
  ...['False', 'false', 'no', 'No', '0'].map((word): [string, boolean] => [word, false]),
];

const alphas = {
  good: [
    ['0', 0],
    ['0.2', 0.2],
    ['1', 1],
  ] as [string, number][],
  bad: [...notNumbers, '-1'],
};

const cases: Cases = {
  weight_decay: {
    good: [
      ['0', 0],
      ['1e-4', 1e-4],
    ],
    bad: [...notNumbers, '-1e-4'],
  },
  label_smoothing: {
    good: [
      ['0', 0],
      ['.1', 0.1],
    ],
    bad: [...notNumbers, '1', '-0.1'],
  },
  class_weights: {
    good: [
      ['none', 'none'],
      ['auto', 'auto'],
    ],
    bad: ['', 'Auto', 'balanced'],
  },
  augment: {
    good: [
      ['none', 'none'],
      ['trivial', 'trivial'],
    ],
    bad: ['', 'Basic', 'randaugment'],
  },
  mixup: alphas,
  cutmix: alphas,
  freeze: {
    good: [
      ['none', 'none'],
      ['backbone', 'backbone'],
      ['layer3.0', 'layer3.0'],
    ],
    bad: [''],
  },
  unfreeze_epoch: {
    good: [
      ['0', 0],
      ['3', 3],
    ],
    bad: [...notIntegers, '-1'],
  },
  lr_backbone: { good: [['1e-5', 1e-5]], bad: [...notNumbers, '0', '-1'] },
  epochs: {
    good: [
      ['1', 1],
      ['020', 20],
      ['+3', 3],
    ],
    bad: [...notIntegers, '0', '-1'],
  },
  batch_size: {
    good: [
      ['1', 1],
      ['128', 128],
    ],
    bad: [...notIntegers, '0', '-8'],
  },
  lr: {
    good: [
      ['1e-3', 1e-3],
      ['.5', 0.5],
      ['2.', 2],
      ['1E2', 100],
    ],
    bad: [...notNumbers, '0', '-0.1', '1e-999', '.', 'e5'],
  },
  schedule: {
    good: [
      ['cosine', 'cosine'],
      ['inverse-time', 'inverse-time'],
    ],
    bad: ['', 'Cosine', 'cosin', 'inverse_time'],
  },
  warmup: {
    good: [
      ['0', 0],
      ['3', 3],
    ],
    bad: [...notIntegers, '-1'],
  },
  optimizer: {
    good: [
      ['adam', 'adam'],
      ['sgd', 'sgd'],
    ],
    bad: ['', 'adamw'],
  },
  momentum: {
    good: [
      ['0', 0],
      ['0.99', 0.99],
    ],
    bad: [...notNumbers, '1', '-0.1'],
  },
  precision: { good: [['fp32', 'fp32']], bad: ['', 'bf16'] },
  seed: {
    good: [
      ['0', 0],
      ['4294967295', 4294967295],
    ],
    bad: [...notIntegers, '-1', '4294967296'],
  },
  model: { good: [['resnet18', 'resnet18']], bad: [''] },
  pretrained: { good: flags, bad: notFlags },
  weights: { good: [['a/b.safetensors', 'a/b.safetensors']], bad: ['', 'a\0b'] },
  pre: { good: [['resnet', 'resnet']], bad: ['', 'vgg'] },
  data_dir: { good: [['a b/c', 'a b/c']], bad: ['', 'a\0b'] },
  val_split: {
    good: [
      ['0', 0],
      ['0.999', 0.999],
    ],
    bad: [...notNumbers, '1', '-0.1'],
  },
  workers: {
    good: [
      ['1', 1],
      ['1024', 1024],
    ],
    bad: [...notIntegers, '0', '1025'],
  },
  run_name: {
    good: [
      ['default', 'default'],
      ['my run.1', 'my run.1'],
      ['é', 'é'],
      ['a'.repeat(180), 'a'.repeat(180)],
    ],
    bad: [
      '',
      '.',
      '..',
      'a/b',
      '/a',
      'a\\b',
      '../a',
      'a..b',
      'a\nb',
      'a\0',
      '\x7f',
      '\u0085',
      '\u2028',
      ' a',
      'a'.repeat(181),
      'é'.repeat(91),
    ],
  },
  root_dir: { good: [['.', '.']], bad: ['', 'a\0b'] },
  device: {
    good: [
      ['auto', 'auto'],
      ['cuda', 'cuda'],
      ['cpu', 'cpu'],
    ],
    bad: ['', 'gpu', 'cuda:0'],
  },
  wandb: { good: flags, bad: notFlags },
  config: { good: [['a.yaml', 'a.yaml']], bad: [''] },
};

function read(name: string, value: string): Record<string, unknown> {
  return readOptions(trainOptions, [new Map([[name, { value, where: `--${name}` }]])]);
}

for (const [name, { good, bad }] of Object.entries(cases)) {
  test(`${name} reads what it should and refuses the rest`, () => {
    for (const [written, value] of good) assert.deepEqual(read(name, written)[name], value, JSON.stringify(written));
    for (const written of bad) {
      assert.throws(
        () => read(name, written),
        (error) => error instanceof UserError && error.message.startsWith(`Bad value for --${name}: expected `),
        `${name} took ${JSON.stringify(written)}`,
      );
    }
  });
}

test('the defaults are those of the original program', () => {
  const { root_dir, workers, ...defaults } = readOptions(trainOptions, []);
  assert.deepEqual(defaults, {
    epochs: 20,
    batch_size: 128,
    lr: 1e-3,
    schedule: 'inverse-time',
    warmup: 0,
    optimizer: 'adam',
    momentum: 0.9,
    weight_decay: 0,
    label_smoothing: 0,
    class_weights: 'none',
    augment: 'none',
    mixup: 0,
    cutmix: 0,
    freeze: 'none',
    unfreeze_epoch: 0,
    lr_backbone: undefined,
    precision: 'fp32',
    seed: 42,
    model: 'resnet101',
    pretrained: true,
    weights: undefined,
    pre: 'resnet',
    data_dir: 'input/places365standard_easyformat/places365_standard',
    val_split: 0.2,
    run_name: 'default',
    device: 'auto',
    wandb: false,
    config: undefined,
  });
  assert.ok(workers >= 4);
  assert.equal(root_dir, process.cwd(), 'tests run in the project folder');
});

test('every default passes its own check, so it can be written down', () => {
  const values: Record<string, unknown> = readOptions(trainOptions, []);
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) assert.deepEqual(read(name, String(value))[name], value, name);
  }
});

test('the first source wins, and the others are checked all the same', () => {
  const given = (value: string) => new Map([['epochs', { value, where: 'epochs' }]]);
  assert.equal(readOptions(trainOptions, [given('3'), given('4')]).epochs, 3);
  assert.throws(() => readOptions(trainOptions, [given('3'), given('x')]), /Bad value for epochs: .* found 'x'/);
});

test('a bare name and a negated one fit flags alone', () => {
  const given = (name: string, value: boolean) => new Map([[name, { value, where: `--${name}` }]]);
  assert.equal(readOptions(trainOptions, [given('wandb', true)]).wandb, true);
  assert.equal(readOptions(trainOptions, [given('pretrained', false)]).pretrained, false);
  assert.throws(() => readOptions(trainOptions, [given('epochs', true)]), /--epochs needs a value/);
  assert.throws(() => readOptions(trainOptions, [given('epochs', false)]), /cannot be negated/);
});

test('a bad word names the nearest one', () => {
  assert.throws(() => read('schedule', 'cosin'), /found 'cosin'\. Did you mean cosine\?/);
  assert.throws(
    () => read('schedule', 'zzzzzz'),
    (error) => error instanceof Error && !error.message.includes('Did you'),
  );
});

test('a value in a message is short and shows its control characters', () => {
  assert.throws(
    () => read('epochs', `1\n\x1b[2J${'x'.repeat(500)}`),
    (error) => {
      assert.ok(error instanceof UserError);
      assert.ok(error.message.length < 200);
      assert.match(error.message, /'1\\n\\u001b\[2Jx+\.\.\.'/);
      return true;
    },
  );
});

const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-options-'));
after(() => rmSync(folder, { recursive: true }));

test('a complete config is frozen and has absolute paths', () => {
  mkdirSync(join(folder, 'images'));
  writeFileSync(join(folder, 'w.safetensors'), '');
  const values = readOptions(trainOptions, []);
  const config = completeConfig({
    ...values,
    root_dir: folder,
    data_dir: 'images',
    weights: join(folder, 'w.safetensors'),
  });
  assert.equal(config.data_dir, join(folder, 'images'));
  assert.equal(config.root_dir, folder);
  assert.ok(Object.isFrozen(config) && Object.isFrozen(values));
  const missing = { ...values, root_dir: folder, data_dir: 'images', weights: join(folder, 'none') };
  assert.throws(() => completeConfig(missing), /Bad value for weights: expected a file .*none', found none/);
});

test('weights may be on the hub, at an address that can be one', () => {
  const values = { ...readOptions(trainOptions, []), data_dir: '.' };
  const at = (weights: string) => completeConfig({ ...values, weights }).weights;
  assert.equal(
    at('hf:timm/resnet18.tv_in1k@main:model.safetensors'),
    'hf:timm/resnet18.tv_in1k@main:model.safetensors',
  );
  assert.throws(() => at('hf:timm'), /Bad address of weights on the hub: expected hf:owner\/repo/);
});

test('warm-up has to leave an epoch', () => {
  const values = { ...readOptions(trainOptions, []), root_dir: folder, data_dir: '.' };
  assert.equal(completeConfig({ ...values, epochs: 3, warmup: 2 }).warmup, 2);
  assert.throws(() => completeConfig({ ...values, epochs: 3, warmup: 3 }), /warmup.* than the 3 of --epochs, found 3/);
});
