import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { trainOptions } from '#src/options.js';

const cli = join(process.cwd(), 'dist/cli.js');
const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-cli-'));
after(() => rmSync(folder, { recursive: true }));

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], { cwd: folder, encoding: 'utf8' });
  return { status, stdout, stderr };
}

test('--help lists every option with type, default and meaning, within the width', () => {
  const { status, stdout, stderr } = run('-h');
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  assert.deepEqual(run('--help').stdout, stdout);
  const words = stdout.replace(/\s+/g, ' ');
  for (const [name, { help, type, defaultText }] of Object.entries(trainOptions)) {
    assert.ok(words.includes(`--${name} ${help} [${type}]`), name);
    assert.ok(words.includes(`[default: ${defaultText}]`), `default of ${name}`);
  }
  for (const line of stdout.split('\n')) assert.ok(line.length <= 80, line);
  for (const command of ['deep-cnn train', 'deep-cnn models', 'deep-cnn doctor'])
    assert.ok(stdout.includes(command), command);
});

test('a command has help of its own', () => {
  assert.match(run('train', '-h').stdout, /^deep-cnn train\n.*--batch_size/s);
  const doctor = run('doctor', '--help').stdout;
  assert.match(doctor, /^deep-cnn doctor\n/);
  assert.ok(!doctor.includes('--epochs'));
});

test('--version is the version of the package', () => {
  const { status, stdout } = run('--version');
  assert.equal(status, 0);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
});

test('mistakes end in one line and code 2, and create nothing', () => {
  writeFileSync(join(folder, 'run.yaml'), 'epohcs: 1\n');
  const before = readdirSync(folder);
  const mistakes: string[][] = [
    ['--epoch=1'],
    ['trian'],
    ['train', 'stray'],
    ['--epochs=0'],
    ['--model=resnt18'],
    ['--run_name=../x'],
    ['--config=run.yaml'],
    ['--config=none.yaml'],
    ['--config='],
    ['--config'],
    ['--data_dir=none'],
    ['--data_dir=.', '--wandb=True'],
    ['--data_dir=.', '--epochs=2', '--warmup=2'],
    ['--data_dir=.', '--early_stopping=2', '--val_split=0'],
    ['--data_dir=.', '--unfreeze_epoch=2'],
    ['--data_dir=https://host/images'],
    ['--toString=1'],
    ...['..', 'a.best', 'a\x1b[2J', ''].map((name) => [`--run_name=${name}`]),
    ...['NaN', '1e400', '١'].map((rate) => [`--lr=${rate}`]),
    ...['--batch_size=1e3', '--batch_size=1000000000000', '--time_limit=90', '--resume=', '--no-resume=1'].map(
      (arg) => [arg],
    ),
    ...['--nan=ignore', '--keep_checkpoints=0', '--checkpoint_minutes=-1', '--deterministic=2'].map((arg) => [arg]),
  ];
  for (const args of mistakes) {
    const { status, stdout, stderr } = run('--root_dir=.', ...args);
    assert.deepEqual({ status, stdout }, { status: 2, stdout: '' }, args.join(' '));
    assert.match(stderr, /^deep-cnn: [^\n]+\n$/, args.join(' '));
    assert.deepEqual(readdirSync(folder), before, args.join(' '));
  }
});

test('a misspelt model gets a suggestion', () => {
  assert.match(run('--model=resnet110').stderr, /Bad value for model: expected one of .*Did you mean resnet101, /);
});

test('a reader who leaves ends the program without a word', async () => {
  const child = spawn(process.execPath, [cli, '-h'], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  assert.deepEqual({ code, stderr }, { code: 141, stderr: '' });
});
