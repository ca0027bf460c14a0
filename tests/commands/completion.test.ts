// The completion scripts in the very shells that they are for.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const cli = join(process.cwd(), 'dist/cli.js');
const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-completion-'));
after(() => rmSync(folder, { recursive: true }));
const program = join(folder, 'deep-cnn');
writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${cli}' "$@"\n`, { mode: 0o755 });
mkdirSync(join(folder, 'outputs/models'), { recursive: true });
for (const name of ['first', 'first.best', 'other'])
  writeFileSync(join(folder, `outputs/models/${name}.safetensors`), '');

function lines(command: string, ...args: string[]): string[] {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.split('\n').filter(Boolean);
}

/** Where the shell's script has been written to. */
function scriptFor(shell: string): string {
  const path = join(folder, `completion.${shell}`);
  writeFileSync(path, lines(program, 'completion', shell).join('\n'));
  return path;
}

/** What bash would show for the last of the words, which it has broken at `=`. */
function inBash(...words: string[]): string[] {
  const script = `source '${inBash.script}' && complete -p deep-cnn > /dev/null || exit 1
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _deep_cnn "$1" 2> /dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return lines('bash', '--norc', '-c', script, 'bash', program, ...words);
}

inBash.script = scriptFor('bash');

test('bash completes commands, options, values, models and runs', () => {
  assert.deepEqual(inBash('mod'), ['models']);
  assert.deepEqual(inBash('--bat'), ['--batch_size=']);
  assert.deepEqual(inBash('train', '--schedule', '=', 'co'), ['cosine', 'constant']);
  assert.deepEqual(inBash('train', '--optimizer', '='), ['adam', 'sgd']);
  assert.deepEqual(
    inBash('--model', '=', 'efficientnet_lite'),
    ['0', '1', '2'].map((size) => `efficientnet_lite${size}`),
  );
  assert.deepEqual(inBash('weights', 'download', 'vgg11'), ['vgg11', 'vgg11_bn']);
  assert.deepEqual(inBash('rerun', '--root_dir', '=', folder, 'f'), ['first']);
  assert.deepEqual(inBash('completion', 'z'), ['zsh']);
  // Left to bash, which offers files.
  assert.deepEqual(inBash('--config', '=', 'run'), []);
});

test('zsh completes the same', { skip: spawnSync('zsh', ['--version']).error && 'there is no zsh' }, () => {
  const path = scriptFor('zsh');
  /** What zsh would be told for the words. */
  const inZsh = (...words: string[]) => {
    const script = `compdef() { }; compset() { }; _files() { print files }
      compadd() { [[ $1 == -S ]] && shift 2; shift; (( $# )) && print -rl -- "$@" }
      source '${path}'
      words=("$@"); CURRENT=$#; PREFIX=$words[-1]; _deep_cnn; true`;
    return lines('zsh', '-f', '-c', script, 'zsh', program, ...words);
  };
  assert.deepEqual(inZsh('mod'), ['models']);
  assert.deepEqual(inZsh('--bat'), ['--batch_size=']);
  assert.deepEqual(inZsh('train', '--schedule=co'), ['--schedule=cosine', '--schedule=constant']);
  assert.deepEqual(inZsh('rerun', `--root_dir=${folder}`, 'f'), ['first']);
  assert.deepEqual(inZsh('--config=run'), ['files']);
});

test('an unknown shell is a mistake', () => {
  const { status, stderr } = spawnSync(program, ['completion', 'csh'], { encoding: 'utf8' });
  assert.equal(status, 2);
  assert.match(stderr, /expected one of bash, zsh, fish after it, found 'csh'/);
});

test('fish completes the same', { skip: spawnSync('fish', ['--version']).error && 'there is no fish' }, () => {
  const path = scriptFor('fish');
  const inFish = (line: string) =>
    lines('fish', '--no-config', '-c', `source '${path}'; complete -C '${program} ${line}'`);
  assert.deepEqual(inFish('mod'), ['models']);
  assert.deepEqual(inFish('--bat'), ['--batch_size=']);
  assert.deepEqual(inFish('train --schedule=co'), ['--schedule=constant', '--schedule=cosine']);
  assert.deepEqual(inFish(`rerun --root_dir=${folder} f`), ['first']);
  assert.deepEqual(inFish('--config=completion.f'), ['--config=completion.fish']);
});
