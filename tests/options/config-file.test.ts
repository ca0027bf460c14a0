import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { UserError } from '#src/errors.js';
import { readConfigFile } from '#src/options/config-file.js';
import { readOptions } from '#src/options/given.js';
import { trainOptions } from '#src/options.js';

const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-config-'));
const path = join(folder, 'run.yaml');
after(() => rmSync(folder, { recursive: true }));

function read(yaml: string) {
  writeFileSync(path, yaml);
  return readOptions(trainOptions, [readConfigFile(path, trainOptions)]);
}

test('every option can stand in the file, with underscores or dashes', () => {
  const values = read(`# a comment
epochs: 3
batch-size: 16
accumulate: 2
auto_batch: true
gpus: 2
gpu_memory_limit: 2G
xla: true
lr: 1e-2
schedule: "cosine"
warmup: 1
optimizer: 'sgd'
momentum: .5
weight_decay: 0.01
label-smoothing: 0.1
class_weights: auto
augment: basic
mixup: .2
cutmix: 1
freeze: layer2
unfreeze_epoch: 2
lr_backbone: 1e-4
precision: fp32
seed: 0
model: resnet18
pretrained: no
weights: w.safetensors
pre: resnet
data_dir: &where some/where
val-split: 0.25
test: no
workers: 2
cache: off
run_name: 007
root_dir: *where
device: cpu
wandb: False
exif: yes
bad-images: error
resume: auto
checkpoint_minutes: 2.5
keep-checkpoints: 3
time_limit: 01:30:00
early_stopping: 4
nan: skip
deterministic: true
`);
  assert.deepEqual(values, {
    epochs: 3,
    batch_size: 16,
    accumulate: 2,
    auto_batch: true,
    gpus: 2,
    gpu_memory_limit: 2048,
    xla: true,
    lr: 0.01,
    schedule: 'cosine',
    warmup: 1,
    optimizer: 'sgd',
    momentum: 0.5,
    weight_decay: 0.01,
    label_smoothing: 0.1,
    class_weights: 'auto',
    augment: 'basic',
    mixup: 0.2,
    cutmix: 1,
    freeze: 'layer2',
    unfreeze_epoch: 2,
    lr_backbone: 1e-4,
    precision: 'fp32',
    seed: 0,
    model: 'resnet18',
    pretrained: false,
    weights: 'w.safetensors',
    pre: 'resnet',
    data_dir: 'some/where',
    val_split: 0.25,
    test: false,
    workers: 2,
    cache: 'off',
    run_name: '007',
    root_dir: 'some/where',
    device: 'cpu',
    wandb: false,
    exif: true,
    bad_images: 'error',
    resume: 'auto',
    checkpoint_minutes: 2.5,
    keep_checkpoints: 3,
    time_limit: 5400,
    early_stopping: 4,
    nan: 'skip',
    deterministic: true,
    config: undefined,
  });
  const written = [...readConfigFile(path, trainOptions).keys(), 'config'];
  assert.deepEqual(written.sort(), Object.keys(trainOptions).sort(), 'an option is missing from the file above');
});

test('resume in the file may look like a flag', () => {
  const cases: [yaml: string, resume: string | undefined][] = [
    ['resume: auto', 'auto'],
    ['resume: "auto"', 'auto'],
    ['resume: true', 'last'],
    ['resume: Yes', 'last'],
    ['resume: false', undefined],
    ['resume: off.safetensors', 'off.safetensors'],
    ['resume: ~', undefined],
    ['resume: null', undefined],
  ];
  for (const [yaml, resume] of cases) assert.equal(read(`${yaml}\n`).resume, resume, yaml);
});

test('a file without options, and null for an option that may be left out, change nothing', () => {
  for (const yaml of ['', '# nothing\n', '---\n', '{}', '\ufeffepochs: 20\n', 'weights: null\n', 'weights: ~\n']) {
    assert.deepEqual(read(yaml), readOptions(trainOptions, []), JSON.stringify(yaml));
  }
});

const mistakes: [yaml: string, message: RegExp][] = [
  ['epochs: 3\nepohcs: 4\n', /run\.yaml, line 2: unknown option 'epohcs'\. Did you mean epochs\?/],
  ['zebra: 4\n', /line 1: unknown option 'zebra'\. See deep-cnn --help/],
  ['toString: 4\n', /line 1: unknown option 'toString'/],
  ['a: 1\n\nlr: fast\n', /line 1: unknown option 'a'/],
  ['\n\nlr: fast\n', /Bad value for lr \(.*run\.yaml, line 3\): expected a number above 0, found 'fast'/],
  ['epochs: 2.5\n', /Bad value for epochs \(.*line 1\): expected an integer/],
  ['epochs: .inf\n', /found '\.inf'/],
  ['epochs:\n', /Bad value for epochs .* found nothing/],
  ['epochs: null\n', /Bad value for epochs .* found 'null'/],
  ['resume:\n', /Bad value for resume .* expected auto, last or a checkpoint file, found nothing/],
  ['time_limit: 90\n', /Bad value for time_limit .* expected a length of time such as 90m/],
  ['weights:\n', /Bad value for weights .* found nothing/],
  ['epochs: 1\nepochs: 2\n', /line 2: an option is given twice/],
  ['batch_size: 1\nbatch-size: 2\n', /line 2: batch_size is given twice/],
  ['lr:\n  start: 1\n', /Bad value for lr \(.*line 1\): expected a number above 0, found nested options/],
  ['lr: [1, 2]\n', /found a list/],
  ['- epochs\n', /line 1: no options here: expected lines like 'epochs: 20', found a list/],
  ['epochs\n', /line 1: no options here: .* found a single value/],
  ['? [a]\n: 1\n', /line 1: an option's name must be plain text/],
  ['epochs: 1\n---\nepochs: 2\n', /a second document starts here/],
  ['epochs: 1\nlr: "open\n', /run\.yaml, line \d: not valid YAML: found /],
  ['config: other.yaml\n', /line 1: a configuration file cannot name another one/],
  ['lr: *nowhere\n', /run\.yaml, line 1/],
];
for (const [yaml, message] of mistakes) {
  test(`a mistake is one line with its place: ${JSON.stringify(yaml)}`, () => {
    assert.throws(
      () => read(yaml),
      (error) => {
        assert.ok(error instanceof UserError, String(error));
        assert.match(error.message, message);
        assert.ok(!error.message.includes('\n'));
        return true;
      },
    );
  });
}

test('a file that cannot be read is a mistake', () => {
  assert.throws(() => readConfigFile(join(folder, 'none.yaml'), trainOptions), /none\.yaml'.* found no such file/);
  assert.throws(() => readConfigFile(folder, trainOptions), /found a folder/);
});
