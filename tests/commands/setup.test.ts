import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const empty = mkdtempSync(join(tmpdir(), 'deep-cnn-setup-command-'));
after(() => rmSync(empty, { recursive: true }));

function setup(args: string[], env: Record<string, string> = {}) {
  const options = { env: { ...process.env, ...env }, encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/cli.js', 'setup', ...args], options);
  return { status, stdout, stderr };
}

test('says what is in use, and does nothing where all is there', () => {
  const checked = setup(['--check']);
  assert.match(checked.stdout, /^TensorFlow \d+\.\d+\.\d+ \((cpu|cuda|site)\) in \/.*\n$/);
  assert.deepEqual(setup([]), { status: 0, stdout: checked.stdout, stderr: '' });
});

test('--check installs nothing, and fails where there is nothing', () => {
  const { status, stdout, stderr } = setup(['--check'], { DEEP_CNN_CACHE: empty, DEEP_CNN_LIBTENSORFLOW: '' });
  assert.deepEqual([status, stdout], [2, '']);
  assert.match(stderr, /^deep-cnn: TensorFlow is not set up: expected one in .*\. Run `npx deep-cnn setup`/);
  assert.deepEqual(readdirSync(empty), []);
});

test('choices exclude each other', () => {
  const { status, stderr } = setup(['--cpu', '--cuda']);
  assert.deepEqual(
    [status, stderr],
    [2, 'deep-cnn: deep-cnn setup takes one option: found --cpu --cuda. Choose one of them.\n'],
  );
});
