// scripts/test.mjs on small test files of its own: what it counts, and its exit code.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'deep-cnn-runner-'));
after(() => rmSync(root, { recursive: true, force: true }));

const files: Record<string, string> = {
  'good.test.js': `test('a', () => {}); test.skip('b', () => {}); describe('s', () => { test('c', () => {}); });`,
  'deep/bad.test.js': `test('a', () => { throw new Error('no'); }); test('b', () => {});`,
  'deep/hook.test.js': `describe('s', () => { after(() => { throw new Error('hook'); }); test('a', () => {}); });`,
  'empty.test.js': `console.log('hello');`,
  'exits.test.js': `process.exit(0);`,
  'throws.test.js': `throw new Error('while loading');`,
};
mkdirSync(join(root, 'scripts'));
mkdirSync(join(root, 'build/tests/deep'), { recursive: true });
writeFileSync(join(root, 'package.json'), '{"type":"module"}');
copyFileSync(join(repository, 'scripts/test.mjs'), join(root, 'scripts/test.mjs'));
for (const [name, body] of Object.entries(files)) {
  writeFileSync(join(root, 'build/tests', name), `import { after, describe, test } from 'node:test';\n${body}\n`);
}

/** Runs the script; returns its exit code and its last line. */
function runTests(...args: string[]): { code: number | null; last: string | undefined } {
  // Node tells a test file by this variable that it runs inside another run.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const script = join(root, 'scripts/test.mjs');
  const { status, stdout } = spawnSync(process.execPath, [script, ...args], { cwd: root, env, encoding: 'utf8' });
  return { code: status, last: stdout.trimEnd().split('\n').at(-1) };
}

test('counts tests, not suites, and names the skipped', () => {
  assert.deepEqual(runTests('good'), { code: 0, last: '2 passed, 0 failed, 1 skipped' });
});

test('a failure is counted and decides the exit code', () => {
  assert.deepEqual(runTests('tests/deep/bad.test.ts'), { code: 1, last: '1 passed, 1 failed' });
  assert.equal(runTests('throws').code, 1);
});

test("a suite's broken hook is a failure although its tests passed", () => {
  assert.deepEqual(runTests('hook'), { code: 1, last: '1 passed, 1 failed' });
});

test('a file that runs no test fails, and so does a run without files', () => {
  assert.deepEqual(runTests('empty'), { code: 1, last: '0 passed, 1 failed' });
  assert.deepEqual(runTests('exits'), { code: 1, last: '0 passed, 1 failed' });
  assert.deepEqual(runTests('no-such-file'), { code: 1, last: '0 passed, 1 failed' });
});

test('without arguments all files run', () => {
  assert.deepEqual(runTests(), { code: 1, last: '4 passed, 5 failed, 1 skipped' });
});
