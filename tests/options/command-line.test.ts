import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dataOptions } from '#src/commands/data.js';
import { UserError } from '#src/errors.js';
import type { Command } from '#src/options/command.js';
import { readCommandLine } from '#src/options/command-line.js';
import { readOptions } from '#src/options/given.js';
import { trainOptions } from '#src/options.js';

const commands: Command[] = [
  { name: 'train', summary: 'Trains', options: trainOptions, run: async () => 0 },
  { name: 'doctor', summary: 'Looks', options: {}, run: async () => 0 },
  { name: 'weights', summary: 'Fetches', options: {}, operands: '<list> [model ...]', run: async () => 0 },
];

function read(...args: string[]) {
  const found = readCommandLine(args, { commands, version: '1.2.3', columns: 80 });
  assert.ok(found, 'no command');
  return { command: found.command.name, values: readOptions(trainOptions, [found.given]) };
}

test('training is the default command', () => {
  assert.deepEqual(read('--epochs=1'), read('train', '--epochs=1'));
  assert.equal(read().command, 'train');
  assert.equal(read('doctor').command, 'doctor');
  assert.deepEqual(read('--epochs', '1', 'train'), read('train', '--epochs=1'));
});

test('values follow a name after = or a blank, dashes or underscores', () => {
  for (const args of [['--batch-size=8'], ['--batch_size=8'], ['--batch-size', '8'], ['--batch_size', '8']]) {
    assert.equal(read(...args).values.batch_size, 8, args.join(' '));
  }
  assert.equal(read('--run_name=a=b').values.run_name, 'a=b');
  assert.equal(read('--run-name', '007').values.run_name, '007');
  assert.equal(read('--data_dir=with-dashes_and=more').values.data_dir, 'with-dashes_and=more');
});

test('flags in all their forms', () => {
  const cases: [string[], boolean][] = [
    [['--wandb'], true],
    [['--wandb', '--epochs=1'], true],
    [['--wandb=True'], true],
    [['--wandb', 'True'], true],
    [['--wandb', 'yes'], true],
    [['--wandb=1'], true],
    [['--wandb=False'], false],
    [['--wandb', 'False'], false],
    [['--wandb', 'no'], false],
    [['--wandb=0'], false],
    [['--no-wandb'], false],
  ];
  for (const [args, wandb] of cases) assert.equal(read(...args).values.wandb, wandb, args.join(' '));
});

test('resume is bare, a word or a file, or taken for a flag', () => {
  const cases: [string[], string | undefined][] = [
    [[], undefined],
    [['--resume'], 'last'],
    [['--resume', '--epochs=1'], 'last'],
    [['train', '--resume'], 'last'],
    [['--resume=last'], 'last'],
    [['--resume=auto'], 'auto'],
    [['--resume', 'auto'], 'auto'],
    [['--resume=a/b.safetensors'], 'a/b.safetensors'],
    [['--resume', 'a/b.safetensors'], 'a/b.safetensors'],
    [['--resume=True'], 'last'],
    [['--resume', 'yes'], 'last'],
    [['--resume=False'], undefined],
    [['--resume', 'no'], undefined],
    [['--no-resume'], undefined],
  ];
  for (const [args, resume] of cases) assert.equal(read(...args).values.resume, resume, args.join(' '));
});

test('words follow a command that takes some', () => {
  const operands = (...args: string[]) =>
    readCommandLine(args, { commands, version: '1.2.3', columns: 80 })?.operands ?? assert.fail('no command');
  assert.deepEqual(operands('weights', 'list', '007', 'weights', 'hf:a/b'), ['list', '007', 'weights', 'hf:a/b']);
  assert.deepEqual(operands('weights'), []);
  assert.deepEqual(operands('--epochs=1'), []);
});

const mistakes: [args: string[], message: RegExp][] = [
  [['--epoch=1'], /^Unknown option --epoch\. Did you mean --epochs\?/],
  [['--batch', '1'], /^Unknown option --batch\. Did you mean --batch_size\?/],
  [['--batchSize=1'], /^Unknown option --batchSize\. Did you mean --batch_size\?/],
  [['--zebra'], /^Unknown option --zebra\. See/],
  [['--no-zebra'], /^Unknown option --no-zebra\./],
  [['-epochs=1'], /^Unknown option -epochs\. Did you mean --epochs\?/],
  [['-x'], /^Unknown option -x\./],
  [['--__proto__=1'], /^Unknown option --__proto__/],
  [['--toString'], /^Unknown option --toString/],
  [['--lr.x=1'], /^Unknown option --lr\.x/],
  [['doctor', '--epochs=1'], /^Unknown option --epochs\./],
  [['trian'], /^Unknown command 'trian'\. Did you mean train\?/],
  [['zebra'], /^Unknown command 'zebra'\. See/],
  [['train', 'now'], /^Unexpected argument 'now'/],
  [['weights', 'list', '--epochs=1'], /^Unknown option --epochs\./],
  [['--', 'now'], /^Unknown command 'now'/],
  [['--epochs=1', '--epochs=2'], /^--epochs is given 2 times/],
  [['--batch-size=1', '--batch_size=2'], /is given 2 times/],
  [['--wandb', '--no-wandb'], /is given 2 times/],
  [['--resume='], /^Bad value for --resume: expected auto, last or a checkpoint file, found nothing/],
  [['--resume', '--no-resume'], /is given 2 times/],
  [['--resume', '--resume=auto'], /^--resume is given 2 times/],
  [['--no-resume=auto'], /^--no-resume takes no value/],
  [['--no-wandb=True'], /^--no-wandb takes no value/],
  [['--epochs'], /^--epochs needs a value/],
  [['--epochs', '--lr=1'], /^--epochs needs a value/],
  [['--no-epochs'], /cannot be negated/],
  [['--epochs='], /^Bad value for --epochs: .* found nothing/],
  [['--wandb='], /^Bad value for --wandb: .* found nothing/],
  [['--wandb', 'maybe'], /^Bad value for --wandb: .* found 'maybe'/],
  [['--batch-size=0'], /^Bad value for --batch-size:/],
  [['--epochs', '-1'], /^Bad value for --epochs: .* found '-1'/],
];
for (const [args, message] of mistakes) {
  test(`a mistake is one line: ${args.join(' ')}`, () => {
    assert.throws(
      () => read(...args),
      (error) => {
        assert.ok(error instanceof UserError, String(error));
        assert.match(error.message, message);
        assert.ok(!error.message.includes('\n'));
        return true;
      },
    );
  });
}

test('a flag before operands does not take one of them for its value', () => {
  const { json } = dataOptions;
  const looking = { name: 'look', summary: 'Looks', options: { json }, operands: '[file ...]', run: async () => 0 };
  const look = (...args: string[]) => {
    const found = readCommandLine(['look', ...args], { commands: [looking], version: '1.2.3', columns: 80 });
    assert.ok(found);
    return { operands: found.operands, ...readOptions({ json }, [found.given]) };
  };
  for (const args of [
    ['--json', 'a.jpg', '-'],
    ['a.jpg', '--json', '-'],
    ['a.jpg', '-', '--json'],
    ['--json', 'yes', 'a.jpg', '-'],
  ]) {
    assert.deepEqual(look(...args), { operands: ['a.jpg', '-'], json: true }, args.join(' '));
  }
  assert.deepEqual(look('--json', 'False', 'a.jpg'), { operands: ['a.jpg'], json: false });
  assert.deepEqual(look('--no-json', 'a.jpg'), { operands: ['a.jpg'], json: false });
  assert.throws(() => look('--json=a.jpg'), /Bad value for --json/);
});
