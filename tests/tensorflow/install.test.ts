import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { bindingFolder, chosenVariant, findInstallation, libraryFolder } from '#src/tensorflow/cache.js';
import { ensureTensorflow } from '#src/tensorflow/install.js';
import { makeFakeTools } from './fake-tools.js';

const tools = makeFakeTools();
const isSupported = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);

beforeEach(() => {
  tools.writeCompiler();
  rmSync(tools.cache, { recursive: true, force: true });
  rmSync(join(tools.root, 'calls'), { force: true });
  for (const name of ['DEEP_CNN_LIBTENSORFLOW', 'CXX', 'FAKE_SLOW']) delete process.env[name];
  Object.assign(process.env, tools.env);
});

const addons = ['tfjs_binding', 'image_square', 'jpeg_decoder', 'kernels', 'gpu_memory'];
const compiled = addons.map((name) => `compile ${name}.node`);

function names(): string[] {
  return readdirSync(join(tools.cache, 'tensorflow')).sort();
}

test('kernels are compiled without what an older assembler lacks', { skip: !isSupported }, async () => {
  tools.write(
    'g++',
    `
case "$*" in
  --version) echo "g++ (fake) 12.0" ;;
  *kernels_amx.cc*DEEP_CNN_PLAIN*|*DEEP_CNN_PLAIN*kernels_amx.cc*) echo "compile plain kernels" >> "$FAKE_CALLS" ;;
  *kernels_amx.cc*) echo "Error: no such instruction" >&2; exit 1 ;;
esac
while [ $# -gt 0 ]; do [ "$1" = -o ] && echo addon > "$2"; shift; done
exit 0`,
  );
  await ensureTensorflow({ variant: 'cpu' });
  assert.deepEqual(tools.calls(), ['pip download', 'unpack', 'compile plain kernels']);
  const said = tools.said.splice(0).filter((line) => line.includes('kernels'));
  assert.deepEqual(said, [
    'set-up: compiling kernels with g++ ...\n',
    'set-up: compiling kernels for an older assembler with g++ ...\n',
    'set-up: without these kernels a step on a processor may take twice as long (TensorFlow does not take them)\n',
  ]);
});

test('downloads, unpacks, compiles once, and then does nothing', { skip: !isSupported }, async () => {
  assert.equal(findInstallation('cpu'), undefined);
  const installed = await ensureTensorflow({ variant: 'cpu' });
  assert.equal(installed.variant, 'cpu');
  assert.equal(installed.version, '2.20.0');
  assert.ok(existsSync(installed.bindingPath));
  // The stand-ins do nothing, so that they are left out.
  assert.equal(installed.jpegDecoderPath, undefined);
  assert.equal(installed.kernelsPath, undefined);
  assert.equal(installed.gpuMemoryPath, undefined);
  assert.deepEqual(tools.calls(), ['pip download', 'unpack', ...compiled]);
  assert.deepEqual(tools.said.splice(0), [
    'set-up: downloading TensorFlow 2.20.0 for the CPU ...\n',
    'set-up: unpacking TensorFlow 2.20.0 for the CPU ...\n',
    "set-up: compiling TensorFlow's binding with g++ ...\n",
    'set-up: loading TensorFlow for a first time ...\n',
    'set-up: compiling the image resizer with g++ ...\n',
    'set-up: compiling the JPEG decoder with g++ ...\n',
    'set-up: compiling kernels with g++ ...\n',
    'set-up: without these kernels a step on a processor may take twice as long (TensorFlow does not take them)\n',
    "set-up: compiling the limit of GPUs' memory with g++ ...\n",
  ]);

  assert.deepEqual(await ensureTensorflow({ variant: 'cpu' }), installed);
  assert.equal(tools.calls().length, 2 + compiled.length);
  assert.deepEqual(tools.said, []);
  assert.deepEqual(names(), [`2.20.0-cpu-${process.arch}`], 'a lock or something unfinished was left');
});

test('a file cut short makes its folder incomplete, and it alone is made again', { skip: !isSupported }, async () => {
  const { root, bindingPath } = await ensureTensorflow({ variant: 'cpu' });
  truncateSync(bindingPath, 1);
  assert.equal(findInstallation('cpu'), undefined);
  await ensureTensorflow({ variant: 'cpu' });
  assert.deepEqual(tools.calls(), ['pip download', 'unpack', ...compiled, ...compiled]);

  truncateSync(join(root, 'tensorflow/libtensorflow_cc.so.2'), 0);
  await ensureTensorflow({ variant: 'cpu' });
  assert.deepEqual(tools.calls().slice(2 + 2 * compiled.length), ['pip download', 'unpack', ...compiled]);
  assert.deepEqual(names(), [`2.20.0-cpu-${process.arch}`]);
});

test('two at once install once', { skip: !isSupported }, async () => {
  const program = `import { ensureTensorflow } from ${JSON.stringify(import.meta.resolve('#src/tensorflow/install.js'))};
    await ensureTensorflow({ variant: 'cpu' });`;
  const codes = [1, 2].map(
    () =>
      new Promise((resolve) => {
        const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore' });
        child.once('close', resolve);
      }),
  );
  assert.deepEqual(await Promise.all(codes), [0, 0]);
  assert.deepEqual(tools.calls(), ['pip download', 'unpack', ...compiled]);
});

test('killed while pip downloads, the next one starts over and cleans up', { skip: !isSupported }, async () => {
  const program = `import { ensureTensorflow } from ${JSON.stringify(import.meta.resolve('#src/tensorflow/install.js'))};
    await ensureTensorflow({ variant: 'cpu' });`;
  const env = { ...process.env, FAKE_SLOW: '1' };
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore', env });
  while (tools.calls().length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('close', resolve));
  assert.ok(names().includes('install.lock') && names().some((name) => name.startsWith('.partial-')));
  assert.equal(findInstallation('cpu'), undefined);

  await ensureTensorflow({ variant: 'cpu' });
  assert.deepEqual(names(), [`2.20.0-cpu-${process.arch}`]);
});

test('what the user chose stays chosen until --auto', { skip: !isSupported }, async () => {
  await ensureTensorflow({ variant: 'cpu', remember: true });
  assert.equal(chosenVariant(), 'cpu');
  assert.equal(findInstallation()?.variant, 'cpu');
  if (existsSync('/dev/nvidiactl')) return;
  await ensureTensorflow({ variant: 'auto', remember: true });
  assert.equal(chosenVariant(), undefined);
});

test("a site's library comes first, and only its binding is made", { skip: !isSupported }, async () => {
  const site = join(tools.root, 'site');
  process.env['DEEP_CNN_LIBTENSORFLOW'] = site;
  await assert.rejects(ensureTensorflow({ variant: 'auto' }), /names .*site.*expected lib\/libtensorflow\.so\.2/);

  mkdirSync(join(site, 'lib'), { recursive: true });
  mkdirSync(join(site, 'include/tensorflow/c'), { recursive: true });
  for (const path of ['lib/libtensorflow.so.2', 'lib/libtensorflow_framework.so.2', 'include/tensorflow/c/c_api.h']) {
    writeFileSync(join(site, path), '');
  }
  const installed = await ensureTensorflow({ variant: 'cpu' });
  assert.equal(installed.variant, 'site');
  assert.equal(installed.root, site);
  assert.deepEqual(tools.calls(), compiled);
  assert.equal(findInstallation('cuda')?.bindingPath, installed.bindingPath);
});

test('an addon that does not load is an error and never appears', { skip: !isSupported }, async () => {
  process.env['NODE_OPTIONS'] = '';
  await assert.rejects(ensureTensorflow({ variant: 'cpu' }), { name: 'UserError', message: /does not load.*doctor/ });
  assert.ok(!existsSync(bindingFolder(libraryFolder('cpu'))));
  assert.deepEqual(
    readdirSync(libraryFolder('cpu')).filter((name) => name.startsWith('.partial-')),
    [],
  );
});
