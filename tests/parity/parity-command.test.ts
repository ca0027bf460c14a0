// scripts/parity.ts as it is run: what it prints for each file in a folder, and how it exits.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Reference } from '../../scripts/parity/reference.js';

// Compiled tests lie in build/tests/parity, what they read in tests/parity.
const file = new URL('../../../tests/parity/resnet18.json', import.meta.url);
const { sgd: _, adam: __, grad_l2: ___, ...reference } = JSON.parse(readFileSync(file, 'utf8')) as Reference;
const script = fileURLToPath(new URL('../../scripts/parity.js', import.meta.url));

const folder = mkdtempSync(join(tmpdir(), 'parity-test-'));
after(() => rmSync(folder, { recursive: true }));
const write = (name: string, content: unknown) => writeFileSync(join(folder, name), JSON.stringify(content));

const [first = [], ...others] = reference.eval_logits;
write('good.json', reference);
write('wrong.json', { ...reference, eval_logits: [[(first[0] ?? 0) + 0.01, ...first.slice(1)], ...others] });
write('unknown.json', { ...reference, model: 'some_other_net' });
write('split.json', { seed: 42, permutations: [] });
writeFileSync(join(folder, 'notes.txt'), 'no reference');

function parity(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [script, ...args], (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

test('a wrong figure is marked, a model that is not implemented is listed, and the exit code is 1', async () => {
  const { code, stdout } = await parity(folder);
  assert.match(stdout, /^resnet18: passed$/m);
  assert.match(stdout, /^resnet18: FAILED$/m);
  assert.match(stdout, /^ {2}logits +\d\.\de-[5-9] {2}\(at most 1\.0e-4\) {2}ok$/m);
  assert.match(stdout, /^ {2}logits +1\.1e-3 {2}\(at most 1\.0e-4\) {2}TOO FAR$/m);
  assert.match(stdout, /^ {2}names, shapes, order +0 {2}\(at most 0\) {2}ok$/m);
  assert.match(stdout, /^ {2}parameters +0 {2}\(at most 0\) {2}ok$/m);
  assert.match(stdout, /^Not implemented, so not compared: some_other_net$/m);
  assert.match(stdout, /^1 passed, 1 failed, 1 not implemented$/m);
  assert.equal(code, 1);
});

test('files can be chosen, and the exit code is 0 when all that is implemented passes', async () => {
  const { code, stdout } = await parity(folder, 'good', 'unknown');
  assert.doesNotMatch(stdout, /FAILED|TOO FAR/);
  assert.match(stdout, /^1 passed, 0 failed, 1 not implemented$/m);
  assert.equal(code, 0);
});

test('nothing compared is no success', async () => {
  const { code, stdout } = await parity(folder, 'unknown');
  assert.match(stdout, /^0 passed, 0 failed, 1 not implemented$/m);
  assert.equal(code, 1);
});

test('a folder that is not there is told, with exit code 2', async () => {
  const { code, stdout, stderr } = await parity(join(folder, 'gone'));
  assert.equal(stdout, '');
  assert.match(stderr, /There is no folder .*gone\. Usage: npm run parity -- FOLDER \[MODEL\.\.\.\]/);
  assert.equal(code, 2);
});
