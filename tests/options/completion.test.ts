import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from '#src/options/command.js';
import { completions } from '#src/options/completion.js';
import { choice, flag, integer, type OptionTable, optionalText, text } from '#src/options/spec.js';

const group = 'All';
const help = '';
const table: OptionTable = {
  batch_size: integer({ group, help, default: 1, expected: 'an integer', isInRange: () => true }),
  bad_images: choice({ group, help, choices: ['skip', 'error'], default: 'skip' }),
  wandb: flag({ group, help, default: false }),
  model: text({ group, help, default: 'resnet18' }),
  run_name: text({ group, help, default: 'default' }),
  config: optionalText({ group, help }),
};
const run = async () => 0;
const commands: readonly Command[] = [
  { name: 'train', summary: '', options: table, run },
  { name: 'rerun', summary: '', options: table, operands: '<RUN>', offers: ['runs'], run },
  {
    name: 'weights',
    summary: '',
    options: {},
    operands: '<VERB> [MODEL ...]',
    offers: [['list', 'verify'], 'models'],
    run,
  },
];
const sources = {
  models: async () => ['resnet18', 'resnet50', 'vgg11'],
  runs: (rootDir: string | undefined) => (rootDir === undefined ? ['first', 'second'] : [`run of ${rootDir}`]),
};

const cases: readonly (readonly [words: string, expected: readonly string[]])[] = [
  ['', ['train', 'rerun', 'weights']],
  ['r', ['rerun']],
  ['--b', ['--batch_size=', '--bad_images=']],
  ['--batch-', ['--batch-size=']],
  ['--w', ['--wandb']],
  ['train --c', ['--config=']],
  ['train --no-', ['--no-wandb']],
  ['train --h', ['--help']],
  ['weights --b', []],
  ['--bad_images=', ['--bad_images=skip', '--bad_images=error']],
  ['--bad-images=e', ['--bad-images=error']],
  ['--bad_images e', ['error']],
  ['--wandb=T', ['--wandb=True']],
  ['--wandb ', []],
  ['--model=resnet', ['--model=resnet18', '--model=resnet50']],
  ['train --model v', ['vgg11']],
  ['--run_name=s', ['--run_name=second']],
  ['--root_dir=/x --run_name=', ['--run_name=run of /x']],
  ['--batch_size=', []],
  ['--config=', []],
  ['--unknown=', []],
  ['rerun ', ['first', 'second']],
  ['rerun --wandb --model vgg11 f', ['first']],
  ['weights ', ['list', 'verify']],
  ['weights verify r', ['resnet18', 'resnet50']],
  ['weights verify vgg11 r', ['resnet18', 'resnet50']],
  ['train ', []],
];

for (const [line, expected] of cases) {
  test(`completes '${line}'`, async () => {
    assert.deepEqual(await completions(line.split(' '), commands, sources), expected);
  });
}

test('joins what bash takes apart', async () => {
  for (const words of [
    ['--model', '=', 'v'],
    ['train', '--wandb', '=', 'True', '--model', '=', 'v'],
  ]) {
    assert.deepEqual(await completions(words, commands, sources), ['--model=vgg11'], words.join(' '));
  }
  assert.deepEqual(await completions(['--bad_images', '='], commands, sources), [
    '--bad_images=skip',
    '--bad_images=error',
  ]);
});
