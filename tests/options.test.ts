import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { UserError } from '#src/errors.js';
import { completeConfig } from '#src/options/complete-config.js';
import { readOptions } from '#src/options/given.js';
import { type TrainConfig, trainOptions } from '#src/options.js';

type Cases = { [Name in keyof TrainConfig]: { good: [text: string, value: TrainConfig[Name]][]; bad: string[] } };

/** What no option of any kind takes. */
const notAnything = ['', '\0', 'a\0b'];
const notNumbers = [
  ...['', ' ', '12abc', 'ten', 'True', '-', '+', '.', '--1', '+-1', '1-', '1 2', '1,5', '1_000', '1e', 'e1', '1e1.5'],
  ...['NaN', 'nan', '-nan', 'Infinity', '-Infinity', 'inf', '1e39', '1e400', '-1e400', '9'.repeat(5000)],
  ...['0x10', '0X1F', '0b1', '0o7', '1n', '1%', '1m', '[1]', '"1"'],
  ...[' 1', '1 ', '1\n', '\t1', '1\r', '1\0', '\x1b[1m1', '1\u00a0', '\u200b1', '\ufeff1'],
  ...['１２', '٣', '²', '1\u0660', '−1', '½', '∞'],
];
const notIntegers = [
  ...notNumbers,
  ...['1.0', '1.', '0.5', '1e0', '1e3', '-1', '9007199254740993', `1${'0'.repeat(30)}`, '-9007199254740993'],
];
const notFlags = ['', 'maybe', '2', '-1', '1.0', 'y', 'none', ' True', 'True ', 'on'];
const notNegative = ['-1', '-1e-30', '-1e30'];
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
  bad: [...notNumbers, ...notNegative],
};

const cases: Cases = {
  weight_decay: {
    good: [
      ['0', 0],
      ['1e-4', 1e-4],
    ],
    bad: [...notNumbers, ...notNegative],
  },
  label_smoothing: {
    good: [
      ['0', 0],
      ['.1', 0.1],
    ],
    bad: [...notNumbers, ...notNegative, '1', '1e30'],
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
      ['-0', 0],
      ['3', 3],
    ],
    bad: notIntegers,
  },
  lr_backbone: { good: [['1e-5', 1e-5]], bad: [...notNumbers, ...notNegative, '0', '1e-60'] },
  epochs: {
    good: [
      ['1', 1],
      ['020', 20],
      ['+3', 3],
    ],
    bad: [...notIntegers, '0'],
  },
  batch_size: {
    good: [
      ['1', 1],
      ['128', 128],
      ['65536', 65536],
    ],
    bad: [...notIntegers, '0', '65537', '100000000', '1000000000000'],
  },
  accumulate: {
    good: [
      ['1', 1],
      ['1024', 1024],
    ],
    bad: [...notIntegers, '0', '1025'],
  },
  lr: {
    good: [
      ['1e-3', 1e-3],
      ['.5', 0.5],
      ['2.', 2],
      ['1E2', 100],
    ],
    bad: [...notNumbers, ...notNegative, '0', '-0', '1e-60', '1e-999'],
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
    bad: notIntegers,
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
    bad: [...notNumbers, ...notNegative, '1', '1e30'],
  },
  precision: {
    good: [
      ['auto', 'auto'],
      ['fp32', 'fp32'],
      ['bf16', 'bf16'],
    ],
    bad: ['', 'fp64', 'BF16'],
  },
  seed: {
    good: [
      ['0', 0],
      ['4294967295', 4294967295],
    ],
    bad: [...notIntegers, '4294967296'],
  },
  model: { good: [['resnet18', 'resnet18']], bad: [] },
  pretrained: { good: flags, bad: notFlags },
  weights: { good: [['a/b.safetensors', 'a/b.safetensors']], bad: [] },
  pre: { good: [['resnet', 'resnet']], bad: ['', 'vgg'] },
  data_dir: { good: [['a b/c', 'a b/c']], bad: [] },
  val_split: {
    good: [
      ['0', 0],
      ['0.999', 0.999],
    ],
    bad: [...notNumbers, ...notNegative, '1', '1e30'],
  },
  exif: { good: flags, bad: notFlags },
  bad_images: {
    good: [
      ['skip', 'skip'],
      ['error', 'error'],
    ],
    bad: ['', 'Skip', 'ignore'],
  },
  workers: {
    good: [
      ['1', 1],
      ['1024', 1024],
    ],
    bad: [...notIntegers, '0', '1025'],
  },
  cache: {
    good: [
      ['auto', 'auto'],
      ['off', 'off'],
    ],
    bad: ['', 'Off', 'on', 'True'],
  },
  run_name: {
    good: [
      ['default', 'default'],
      ['my run.1', 'my run.1'],
      ['é', 'é'],
      ['第一次', '第一次'],
      ['best', 'best'],
      ['a.best.1', 'a.best.1'],
      ['a'.repeat(180), 'a'.repeat(180)],
    ],
    bad: [
      ...['', '.', '..', '...', 'a/b', '/a', 'a/', '../a', '../../x', 'a..b', 'a\\b', '..\\x'],
      ...['a\nb', 'a\0', '\x7f', '\u0085', '\u2028', 'a\x1b[31m', '\u202ea'],
      ...[' ', ' a', 'a ', '\ta', 'a\u00a0', 'a.', '.a', '-a', '--a', 'a.best', 'a.BEST', '.best'],
      ...['a'.repeat(181), 'é'.repeat(91), 'a'.repeat(1e6)],
    ],
  },
  root_dir: { good: [['.', '.']], bad: [] },
  device: {
    good: [
      ['auto', 'auto'],
      ['cuda', 'cuda'],
      ['cpu', 'cpu'],
    ],
    bad: ['', 'gpu', 'cuda:0'],
  },
  resume: {
    good: [
      ['auto', 'auto'],
      ['last', 'last'],
      ['outputs/checkpoints/a/last.safetensors', 'outputs/checkpoints/a/last.safetensors'],
      ...['True', 'true', 'yes', '1'].map((word): [string, string] => [word, 'last']),
      ...['False', 'no', '0'].map((word): [string, undefined] => [word, undefined]),
    ],
    bad: [],
  },
  checkpoint_minutes: {
    good: [
      ['0', 0],
      ['15', 15],
      ['.5', 0.5],
    ],
    bad: [...notNumbers, ...notNegative],
  },
  keep_checkpoints: {
    good: [
      ['1', 1],
      ['100', 100],
    ],
    bad: [...notIntegers, '0', '101'],
  },
  time_limit: {
    good: [
      ['45s', 45],
      ['90m', 5400],
      ['1.5h', 5400],
      ['.5d', 43_200],
      ['2d', 172_800],
      ['00:00:01', 1],
      ['01:30:00', 5400],
      ['100:00:00', 360_000],
      ['1-12:00:00', 129_600],
      ['1h30m', 5400],
      ['1d12h', 129_600],
      ['2d3h4m5.5s', 183_845.5],
    ],
    bad: [
      ...notNumbers.filter((text) => text !== '1m'),
      ...[
        '0',
        '90',
        '-5m',
        '0s',
        '0:00:00',
        '1:60:00',
        '1:00:60',
        '1:2:3',
        '12:30',
        '1-1',
        '30m1h',
        '1h1h',
        '1h30',
        '1 h',
        '1w',
        '1H',
      ],
      ...['NaNh', 'Infinityd', '1e3s', `${'9'.repeat(400)}d`, '1h\n', '٣h', '-1-00:00:00', '0x1h'],
    ],
  },
  early_stopping: {
    good: [
      ['0', 0],
      ['10', 10],
    ],
    bad: notIntegers,
  },
  nan: {
    good: [
      ['error', 'error'],
      ['skip', 'skip'],
    ],
    bad: ['', 'NaN', 'Skip', 'ignore'],
  },
  auto_batch: { good: flags, bad: notFlags },
  test: { good: flags, bad: notFlags },
  gpus: {
    good: [
      ['1', 1],
      ['8', 8],
    ],
    bad: [...notIntegers, '0', '65'],
  },
  gpu_memory_limit: {
    good: [
      ['8G', 8192],
      ['500mb', 500],
      ['1TB', 1_048_576],
    ],
    bad: ['0G', '8', '-1G', '1.5G', 'all', ''],
  },
  xla: { good: flags, bad: notFlags },
  deterministic: { good: flags, bad: notFlags },
  wandb: { good: flags, bad: notFlags },
  config: { good: [['a.yaml', 'a.yaml']], bad: [] },
};

test('every option has its rows here', () => {
  assert.deepEqual(Object.keys(cases).sort(), Object.keys(trainOptions).sort());
});

function read(name: string, value: string): Record<string, unknown> {
  return readOptions(trainOptions, [new Map([[name, { value, where: `--${name}` }]])]);
}

for (const [name, { good, bad }] of Object.entries(cases)) {
  test(`${name} reads what it should and refuses the rest`, () => {
    for (const [written, value] of good) assert.deepEqual(read(name, written)[name], value, JSON.stringify(written));
    for (const written of [...notAnything, ...bad]) {
      const shown = JSON.stringify(written).slice(0, 100);
      assert.throws(
        () => read(name, written),
        (error) => {
          assert.ok(error instanceof UserError, `${name} with ${shown}: ${String(error)}`);
          assert.ok(error.message.startsWith(`Bad value for --${name}: expected `), error.message);
          assert.ok(error.message.length < 400, `too long for ${shown}`);
          assert.doesNotMatch(error.message, /\p{Cc}/u, `more than a line, or raw characters, for ${shown}`);
          return true;
        },
        `${name} took ${shown}`,
      );
    }
  });
}

test('the defaults are those of the original program', () => {
  const { root_dir, workers, ...defaults } = readOptions(trainOptions, []);
  assert.deepEqual(defaults, {
    epochs: 20,
    batch_size: 128,
    accumulate: 1,
    auto_batch: false,
    gpus: 1,
    gpu_memory_limit: undefined,
    xla: false,
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
    precision: 'auto',
    seed: 42,
    model: 'resnet101',
    pretrained: true,
    weights: undefined,
    pre: 'resnet',
    data_dir: 'input/places365standard_easyformat/places365_standard',
    val_split: 0.2,
    test: true,
    exif: false,
    bad_images: 'skip',
    cache: 'auto',
    run_name: 'default',
    device: 'auto',
    resume: undefined,
    checkpoint_minutes: 15,
    keep_checkpoints: 2,
    time_limit: undefined,
    early_stopping: 0,
    nan: 'error',
    deterministic: false,
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

test('a very long number is refused in a moment', () => {
  const digits = '9'.repeat(1_000_000);
  for (const name of ['lr', 'epochs', 'time_limit']) {
    for (const text of [digits, `${digits}x`, `.${digits}x`, `1e${digits}x`]) {
      assert.throws(() => read(name, text), /^UserError: Bad value/);
    }
  }
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

test('a run that starts from a checkpoint does not need its first weights', () => {
  const values = { ...readOptions(trainOptions, []), data_dir: '.', weights: join(folder, 'gone') };
  assert.equal(completeConfig(values, { needsWeights: false }).weights, join(folder, 'gone'));
  assert.throws(() => completeConfig(values), /Bad value for weights/);
});

const contradictions: [change: Partial<TrainConfig>, message: RegExp][] = [
  [{ epochs: 3, warmup: 3 }, /^Bad value for warmup: expected fewer .* than the 3 of --epochs, found 3/],
  [{ epochs: 1, warmup: 2 ** 53 - 1 }, /^Bad value for warmup/],
  [{ unfreeze_epoch: 2 }, /^--unfreeze_epoch has nothing to open\. Freeze something/],
  [{ freeze: 'backbone', epochs: 3, unfreeze_epoch: 4 }, /^Bad value for unfreeze_epoch: expected at most the 3/],
  [{ early_stopping: 3, val_split: 0 }, /^--early_stopping has no validation loss to watch\. .*--val_split/],
  [
    { weights: 'https://me:word@host/w.pth' },
    /^Bad value for weights: .* on this machine, found 'https:\/\/\*\*\*@host/,
  ],
  [{ data_dir: 's3://bucket/images' }, /^Bad value for data_dir: .* on this machine, found 's3:/],
  [{ root_dir: 'file:///tmp' }, /^Bad value for root_dir: .* on this machine, found 'file:/],
];
for (const [change, message] of contradictions) {
  test(`refused: ${JSON.stringify(change)}`, () => {
    const values = { ...readOptions(trainOptions, []), root_dir: folder, data_dir: '.' };
    assert.throws(
      () => completeConfig({ ...values, ...change }),
      (error) => {
        assert.ok(error instanceof UserError, String(error));
        assert.match(error.message, message);
        return true;
      },
    );
  });
}

test('what only looks contradictory is taken', () => {
  const values = { ...readOptions(trainOptions, []), root_dir: folder, data_dir: '.' };
  const harmless: Partial<TrainConfig>[] = [
    { epochs: 3, warmup: 2 },
    { optimizer: 'adam', momentum: 0.5 },
    { freeze: 'backbone', lr_backbone: 1e-5 },
    { freeze: 'backbone', epochs: 3, unfreeze_epoch: 3 },
    { val_split: 0 },
    { early_stopping: 100, epochs: 3 },
    { epochs: 2 ** 53 - 1 },
  ];
  for (const change of harmless) completeConfig({ ...values, ...change });
});
