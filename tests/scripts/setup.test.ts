// scripts/setup.mjs in a project of stand-ins: an npm, a compiler and a TensorFlow that only write down their calls.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const top = mkdtempSync(join(tmpdir(), 'deep-cnn-setup-'));
after(() => rmSync(top, { recursive: true, force: true }));
const project = join(top, 'project');
const inProject = (path: string) => join(project, path);

const npm = `
const fs = require('node:fs');
fs.appendFileSync('calls', 'npm ' + process.argv.slice(2).join(' ') + '\\n');
if (process.env.FAKE_NPM) { console.error(process.env.FAKE_NPM); process.exit(1); }
fs.rmSync('node_modules', { recursive: true, force: true });
fs.mkdirSync('node_modules/typescript/bin', { recursive: true });
fs.copyFileSync('../tsc', 'node_modules/typescript/bin/tsc');
fs.copyFileSync('package-lock.json', 'node_modules/.package-lock.json');`;

const tsc = `
const fs = require('node:fs');
fs.appendFileSync('calls', 'tsc\\n');
if (fs.readFileSync('src/a.ts', 'utf8').includes('mistake')) { console.log('src/a.ts(1,1): error TS1'); process.exit(1); }
for (const [from, to] of [['src', 'dist'], ['tests', 'build/tests']]) {
  fs.mkdirSync(to, { recursive: true });
  for (const name of fs.readdirSync(from)) {
    if (name.endsWith('.ts')) for (const end of ['js', 'd.ts', 'js.map']) fs.writeFileSync(to + '/' + name.replace(/ts$/, end), '');
  }
}
fs.mkdirSync('dist/commands', { recursive: true });
fs.writeFileSync('dist/file-lock.mjs', '');
fs.writeFileSync('dist/commands/setup.js', \`import { appendFileSync } from 'node:fs';
  export async function setUpTensorflow(choice) {
    appendFileSync('calls', 'tensorflow ' + choice + '\\\\n');
    return 'TensorFlow 2.20.0';
  }\`);`;

beforeEach(() => {
  rmSync(project, { recursive: true, force: true });
  for (const folder of ['scripts', 'src/commands', 'tests']) mkdirSync(inProject(folder), { recursive: true });
  for (const path of ['scripts/setup.mjs', 'src/file-lock.mjs', 'src/lock-file.mjs', 'src/process-identity.mjs']) {
    copyFileSync(join(repository, path), inProject(path));
  }
  writeFileSync(join(top, 'npm-cli.js'), npm);
  writeFileSync(join(top, 'tsc'), tsc);
  writeFileSync(inProject('package.json'), '{"type":"module"}');
  writeFileSync(inProject('src/a.ts'), '');
  writeFileSync(inProject('src/commands/setup.ts'), '');
  writeFileSync(inProject('tests/a.test.ts'), '');
  writeLock('1.0.0');
});

function writeLock(version: string): void {
  const packages = { '': {}, 'node_modules/typescript': { version } };
  writeFileSync(inProject('package-lock.json'), JSON.stringify({ packages }));
}

function setUp(
  args: string[] = [],
  env: Record<string, string> = {},
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['scripts/setup.mjs', ...args], {
      cwd: project,
      env: { ...process.env, npm_execpath: join(top, 'npm-cli.js'), ...env },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.once('close', (code) => resolve({ code, output }));
  });
}

/** The first words of the calls since the last time that this was asked. */
function newCalls(): string[] {
  const lines = existsSync(inProject('calls')) ? readFileSync(inProject('calls'), 'utf8').trim().split('\n') : [];
  rmSync(inProject('calls'), { force: true });
  return lines.map((line) => line.split(' ')[0] ?? '');
}

test('does everything once, then says and does nothing', async () => {
  const first = await setUp();
  assert.equal(first.code, 0, first.output);
  assert.match(
    first.output,
    /^set-up: installing npm packages \.\.\. [\d.]+ s\nset-up: compiling TypeScript \.\.\. [\d.]+ s\n$/,
  );
  assert.match(readFileSync(inProject('calls'), 'utf8'), /^npm ci --ignore-scripts --no-audit --no-fund/);
  assert.deepEqual(newCalls(), ['npm', 'tsc', 'tensorflow']);

  assert.deepEqual(await setUp(), { code: 0, output: '' });
  assert.deepEqual(newCalls(), ['tensorflow']);
  assert.ok(!existsSync(inProject('.cache/setup.lock')));
});

test('compiles again when a source changes, appears or goes, and removes what it leaves', async () => {
  await setUp();
  newCalls();
  writeFileSync(inProject('src/b.ts'), '');
  await setUp(['--check']);
  assert.deepEqual(newCalls(), ['tsc']);
  assert.ok(existsSync(inProject('dist/b.js')));

  utimesSync(inProject('tests/a.test.ts'), 1, 1);
  await setUp(['--check']);
  assert.deepEqual(newCalls(), ['tsc']);

  rmSync(inProject('src/b.ts'));
  await setUp(['--check']);
  assert.deepEqual(newCalls(), ['tsc']);
  for (const name of ['b.js', 'b.d.ts', 'b.js.map']) assert.ok(!existsSync(inProject(`dist/${name}`)), name);
  for (const path of ['dist/a.js', 'dist/file-lock.mjs', 'build/tests/a.test.js']) {
    assert.ok(existsSync(inProject(path)), path);
  }
  await setUp(['--check']);
  assert.deepEqual(newCalls(), []);
});

test('compiles again when what was compiled is gone', async () => {
  for (const folder of ['dist', 'build']) {
    await setUp();
    newCalls();
    rmSync(inProject(folder), { recursive: true });
    assert.equal((await setUp()).code, 0);
    assert.deepEqual(newCalls(), ['tsc', 'tensorflow']);
  }
});

test('installs again when the lock file asks for other versions, or an installation broke off', async () => {
  await setUp();
  newCalls();
  writeLock('2.0.0');
  await setUp(['--check']);
  assert.deepEqual(newCalls(), ['npm', 'tsc']);
  // npm writes its record last.
  rmSync(inProject('node_modules/.package-lock.json'));
  await setUp(['--check']);
  assert.deepEqual(newCalls()[0], 'npm');
});

test("shows the compiler's mistakes, stops, and tries again the next time", async () => {
  writeFileSync(inProject('src/a.ts'), 'mistake');
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const { code, output } = await setUp();
    assert.equal(code, 2);
    assert.match(output, /error TS1[\s\S]*Correct them and start again/);
    assert.deepEqual(newCalls().slice(-1), ['tsc']);
  }
  writeFileSync(inProject('src/a.ts'), 'right');
  assert.equal((await setUp()).code, 0);
});

test('tells an npm without a network from one with other troubles', async () => {
  const offline = await setUp([], { FAKE_NPM: 'npm error code ECONNREFUSED' });
  assert.equal(offline.code, 2);
  assert.match(offline.output, /could not reach its registry/);
  assert.match((await setUp([], { FAKE_NPM: 'npm error code ENOSPC' })).output, /disk or quota is full/);
  assert.match((await setUp([], { FAKE_NPM: 'npm error odd' })).output, /npm error odd[\s\S]*see above/);
  assert.deepEqual(newCalls(), ['npm', 'npm', 'npm']);
});

test('three starts at once install and compile once', async () => {
  const results = await Promise.all([setUp(), setUp(), setUp()]);
  assert.deepEqual(
    results.map(({ code }) => code),
    [0, 0, 0],
  );
  assert.deepEqual(newCalls().sort(), ['npm', 'tensorflow', 'tensorflow', 'tensorflow', 'tsc']);
});

test('hands a choice on, and knows its options', async () => {
  await setUp(['--cuda']);
  assert.match(readFileSync(inProject('calls'), 'utf8'), /tensorflow cuda$/m);
  newCalls();
  await setUp();
  assert.match(readFileSync(inProject('calls'), 'utf8'), /tensorflow undefined$/m);
  newCalls();
  const wrong = await setUp(['--gpu']);
  assert.equal(wrong.code, 2);
  assert.match(wrong.output, /--cpu, --cuda, --auto and --check, not `--gpu`/);
  assert.match((await setUp(['-h'])).output, /DEEP_CNN_CACHE/);
  assert.deepEqual(newCalls(), []);
});
