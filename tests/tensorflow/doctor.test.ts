import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { findProblems, formatReport } from '#src/commands/doctor.js';
import { type DeviceFacts, gatherFacts } from '#src/tensorflow/doctor.js';
import { findGpuLibraries } from '#src/tensorflow/gpu.js';

const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-doctor-'));
after(() => rmSync(folder, { recursive: true, force: true }));

// Nothing is installed there.
process.env['DEEP_CNN_CACHE'] = join(folder, 'cache');
delete process.env['DEEP_CNN_LIBTENSORFLOW'];
const facts = await gatherFacts();

function problemsOf(device: Partial<DeviceFacts>): string {
  return findProblems({ ...facts, device: { ...facts.device, ...device } }).join('\n');
}

const installation = {
  variant: 'cuda',
  version: '2.20.0',
  root: folder,
  bindingPath: folder,
  imageSquarePath: folder,
  jpegDecoderPath: folder,
  kernelsPath: folder,
  gpuMemoryPath: folder,
} as const;

test('says what is missing where nothing is installed', () => {
  const report = formatReport(facts, findProblems(facts));
  assert.match(report, new RegExp(`^ {2}Node +${process.versions.node.replaceAll('.', '\\.')}$`, 'm'));
  assert.match(report, /^ {2}TensorFlow +not installed$/m);
  assert.match(report, /^ {2}tfjs-node-gpu +4\.\d+\.\d+$/m);
  assert.match(report, /^ {2}cache +nothing {2}.*deep-cnn-doctor-/m);
  assert.match(report, /! TensorFlow is not installed: `npx deep-cnn setup` installs it\.\n/);
});

test('aligns all values in one column', () => {
  const rows = formatReport(facts, [])
    .split('\n')
    .filter((line) => line.startsWith('  '));
  assert.ok(rows.length > 15);
  // Sizes end in one column.
  const values = rows.filter((line) => !/^ {2}(program|npm packages|cache) /.test(line));
  const columns = new Set(values.map((line) => /^ {2}\S+(?: \S+)* {2,}/.exec(line)?.[0].length));
  assert.equal(columns.size, 1, `values start in columns ${[...columns]}`);
});

test('names the CUDA libraries that are found and missing', () => {
  mkdirSync(join(folder, 'nvidia/cudnn/lib'), { recursive: true });
  writeFileSync(join(folder, 'nvidia/cudnn/lib/libcudnn.so.9'), '');
  const libraries = findGpuLibraries(folder);
  assert.equal(
    libraries.find(({ name }) => name === 'libcudnn.so.9')?.path,
    join(folder, 'nvidia/cudnn/lib/libcudnn.so.9'),
  );

  const device: Partial<DeviceFacts> = {
    installation,
    inUse: 'cpu',
    hasGpu: true,
    libraries: libraries.map((library) => ({ ...library, path: library.name === 'libcufft.so.11' ? undefined : 'x' })),
  };
  assert.equal(problemsOf(device), "TensorFlow can't use the GPU without libcufft.so.11.");
  const report = formatReport({ ...facts, device: { ...facts.device, ...device } }, []);
  assert.match(report, /^ {2}libcufft\.so\.11 +missing \(Fourier transforms\)$/m);
  assert.match(report, /^ {2}libcudnn\.so\.9 +x$/m);
});

test('tells the other reasons why a GPU lies idle or nothing runs', () => {
  const ready: Partial<DeviceFacts> = { installation, inUse: 'cuda', hasGpu: true, libraries: [] };
  assert.equal(problemsOf(ready), '');
  assert.match(problemsOf({ ...ready, inUse: 'cpu' }), /driver may be too old/);
  assert.match(
    problemsOf({ ...ready, inUse: 'cpu', installation: { ...installation, variant: 'cpu' } }),
    /setup --cuda/,
  );
  assert.match(problemsOf({ ...ready, inUse: undefined, failure: 'no AVX' }), /does not load: no AVX/);
  assert.match(problemsOf({ site: '/opt/tf' }), /The TensorFlow in \/opt\/tf \(DEEP_CNN_LIBTENSORFLOW\) is not ready/);
  assert.equal(problemsOf({ installation, inUse: 'cpu', hasGpu: false, libraries: [] }), '');
});
