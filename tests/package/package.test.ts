// The package as others install it: packed, installed into an empty project without its repository, and used there from the
// command line and from TypeScript. `npm run test:package` tries several versions of Node and npm, which takes minutes and
// the npm registry; CI only those that run it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { version } from '#src/version.js';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const form = process.env['DEEP_CNN_TEST_PACKAGE'];
const skip = form === undefined ? '`npm run test:package` runs it' : undefined;

/** The versions of Node and npm, as the registry knows them; undefined for those that run the tests. */
const pairs = form === 'full' ? [undefined, ['20.19.0', '10'], ['22', '10'], ['24', '11'], ['24', '12']] : [undefined];

let top: string;
let tarball: string;

before(() => {
  if (skip !== undefined) return;
  top = mkdtempSync(join(tmpdir(), 'deep-cnn-package-'));
  run(['npm', 'pack', `--pack-destination=${top}`], { cwd: repository });
  tarball = join(top, `deep-cnn-${version}.tgz`);
});

after(() => {
  if (skip === undefined) rmSync(top, { recursive: true, force: true });
});

test('holds what runs and what set-up compiles, and nothing else', { skip }, () => {
  const files = run(['tar', '-tzf', tarball]).split('\n');
  const has = (path: string) => files.includes(`package/${path}`);
  const tfjs = 'node_modules/@tensorflow/tfjs-node-gpu';
  for (const path of ['dist/cli.js', 'dist/index.d.ts', 'dist/graph/index.js', 'README.md', 'scripts/job.sh']) {
    assert.ok(has(path), path);
  }
  for (const name of readdirSync(join(repository, 'src/tensorflow/native'))) {
    assert.ok(has(`src/tensorflow/native/${name}`), name);
  }
  for (const path of ['binding/tfjs_binding.cc', 'dist/index.js', 'package.json'])
    assert.ok(has(`${tfjs}/${path}`), path);
  const surplus = files.filter((path) =>
    /\.map$|_test\.|\/tests\/|tsbuildinfo|node_modules\/@tensorflow\/tfjs\//.test(path),
  );
  assert.deepEqual(surplus, []);
  const megabytes = statSync(tarball).size / 1e6;
  assert.ok(megabytes < 2, `${megabytes} MB`);
  const manifest = JSON.parse(run(['tar', '-xzOf', tarball, `package/${tfjs}/package.json`])) as Record<
    string,
    unknown
  >;
  const { scripts, dependencies, gypfile } = manifest;
  assert.deepEqual({ scripts, dependencies, gypfile }, { scripts: undefined, dependencies: undefined, gypfile: false });
});

for (const pair of pairs) {
  const title = pair === undefined ? `Node ${process.versions.node}` : `Node ${pair[0]} and npm ${pair[1]}`;
  test(`is installed and used with ${title}`, { skip }, () => {
    const project = mkdtempSync(join(top, 'project-'));
    const env = pair === undefined ? {} : programs(pair[0] ?? '', pair[1] ?? '');
    const inProject = (...command: string[]) => run(command, { cwd: project, env });
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'empty', private: true, type: 'module' }));

    inProject('npm', 'install', '--no-audit', '--no-fund', tarball);
    const tfjs = join(project, 'node_modules/deep-cnn/node_modules/@tensorflow/tfjs-node-gpu');
    assert.deepEqual(readdirSync(tfjs).sort(), ['README.md', 'binding', 'dist', 'package.json']);
    assert.ok(!existsSync(join(project, 'node_modules/@tensorflow/tfjs-node-gpu')));

    assert.equal(inProject('npx', '--no-install', 'deep-cnn', '--version'), `${version}\n`);
    assert.match(inProject('npx', '--no-install', 'deep-cnn', 'models'), /^resnet18 /m);
    assert.match(inProject('npx', '--no-install', 'deep-cnn', 'setup'), /^TensorFlow 2\.\d+\.\d+ \(\w+\) in /);

    runExamples(project, inProject);
  });
}

const onlyInFull = form === 'full' ? undefined : '`npm run test:package` runs it';

test('set-up compiles everything where there is no compiler', { skip: onlyInFull }, () => {
  const folder = mkdtempSync(join(top, 'no-compiler-'));
  const program = (name: string, path: string) =>
    writeFileSync(join(folder, name), `#!/bin/sh\nexec '${path}' "$@"\n`, { mode: 0o755 });
  program('node', process.execPath);
  program('python3', run(['python3', '-c', 'import sys; print(sys.executable, end="")']));
  const cache = join(folder, 'cache');
  run([join(folder, 'node'), 'scripts/setup.mjs'], { cwd: repository, env: { PATH: folder, DEEP_CNN_CACHE: cache } });
  const files = readdirSync(cache, { recursive: true }).map((path) => basename(String(path)));
  const addons = ['tfjs_binding', 'image_square', 'jpeg_decoder', 'kernels', 'gpu_memory'];
  for (const name of addons) assert.ok(files.includes(`${name}.node`), name);
});

/** Compiles the examples in the project, strictly and with our types checked, and runs them. */
function runExamples(project: string, inProject: (...command: string[]) => string): void {
  inProject('npm', 'install', '--no-audit', '--no-fund', '--save-dev', 'typescript@5.9', '@types/node@20');
  for (const name of ['fine-tune.ts', 'gradient.ts'])
    copyFileSync(join(repository, 'examples', name), join(project, name));
  const options = { module: 'nodenext', target: 'es2022', strict: true, exactOptionalPropertyTypes: true };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...options, types: ['node'] } }));
  inProject('npx', '--no-install', 'tsc');

  assert.equal(inProject('node', 'gradient.js'), 'Float32Array(1) [ 14 ] Float32Array(3) [ 2, 4, 6 ]\n');
  const data = join(repository, 'tests/places_test_input');
  const printed = inProject('node', 'fine-tune.js', data, '--model=squeezenet1_1', '--random', '--epochs=1');
  const expected = [
    /^epoch 1: validation loss [\d.]+$/,
    /^the run is finished; its network: .*example\.best\.safetensors$/,
    /^right for [\d.]+ % of \d+ images$/,
    /^\w+ was taken for \w+$/,
    /\.jpg \w+ [\d.]+, \w+ [\d.]+$/,
  ];
  // The library itself prints nothing.
  const lines = printed.trimEnd().split('\n');
  for (const line of lines)
    assert.ok(
      expected.some((pattern) => pattern.test(line)),
      line,
    );
  for (const pattern of expected)
    assert.ok(
      lines.some((line) => pattern.test(line)),
      `${pattern}`,
    );
  // Outputs are the project's, and the package's own folder is left as it was.
  assert.ok(existsSync(join(project, 'outputs/models/example.safetensors')));
  assert.ok(!existsSync(join(project, 'node_modules/deep-cnn/outputs')));
}

/** An environment in which `node` and `npm` are of these versions. */
function programs(node: string, npm: string): Record<string, string> {
  const folder = join(top, `node-${node}-npm-${npm}`);
  if (!existsSync(folder)) {
    mkdirSync(folder);
    writeFileSync(join(folder, 'package.json'), '{"private":true}');
    // Unlike the package `node`, this one needs no install script, which newer npms don't run.
    const wanted = [`node-linux-${process.arch}@${node}`, `npm@${npm}`];
    run(['npm', 'install', '--no-audit', '--no-fund', ...wanted], { cwd: folder });
  }
  const path = `${join(folder, 'node_modules/.bin')}:${process.env['PATH']}`;
  return { PATH: path };
}

interface Place {
  cwd?: string;
  env?: Record<string, string>;
}

/** Runs a command that must succeed, and returns what it prints on stdout. */
function run([command = '', ...args]: readonly string[], { cwd = repository, env = {} }: Place = {}): string {
  // npm tells the programs that it starts about itself and its configuration.
  const inherited = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
  const options = {
    cwd,
    env: { ...Object.fromEntries(inherited), ...env },
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  } as const;
  const { status, stdout, stderr, error } = spawnSync(command, args, options);
  assert.equal(status, 0, `${[command, ...args].join(' ')} in ${cwd}: ${error?.message ?? ''}\n${stdout}\n${stderr}`);
  return stdout;
}
