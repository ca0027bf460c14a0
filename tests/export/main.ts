// npm run test:export -- [--all] [--only=NAME,...] [--python=PYTHON]: exported networks run by Python's TensorFlow and ONNX
// Runtime, and by torchvision where that Python has it. Without --python an environment with the first two is made in the
// cache (600 MB of downloads). By default one network of each family; --all takes every one, with small images.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { exportTfjs } from '#src/export/tfjs.js';
import { int32 } from '#src/graph/session.js';
import { modelNames } from '#src/models/registry.js';
import { cacheFolder } from '#src/tensorflow/cache.js';
import { loadGraphModel } from '#src/tensorflow/graph-model.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { writeCase } from './cases.js';
import { type Example, examples, heavyExamples } from './families.js';
import { largestDifference, referenceBatch, referenceNetwork, referenceProbabilities } from './reference-network.js';

/** Of a probability; half of the bits are lost in `onnx float16`. */
const bounds = { float32: 1e-5, float16: 0.02 };

const { values } = parseArgs({
  options: { all: { type: 'boolean', default: false }, only: { type: 'string' }, python: { type: 'string' } },
});

const python = values.python ?? makeEnvironment();
if (python === undefined) {
  console.log('0 passed, 0 failed, 1 skipped: Python with TensorFlow and ONNX Runtime could not be set up');
} else {
  const { passed, failed } = await checkAll(python);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

/** The Python of an environment in the cache; undefined where it can't be made, as without internet. */
function makeEnvironment(): string | undefined {
  const cache = cacheFolder();
  const place = join(cache, 'export-check');
  const found = join(place, 'bin', 'python');
  const works = () => spawnSync(found, ['-c', 'import tensorflow, onnx, onnxruntime']).status === 0;
  if (existsSync(found) && works()) return found;
  console.log(`Making a Python environment in ${place}`);
  mkdirSync(cache, { recursive: true });
  const packages = ['tensorflow-cpu', 'onnx', 'onnxruntime', 'numpy'];
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages];
  if (spawnSync('python3', ['-m', 'venv', place], { stdio: 'inherit' }).status !== 0) return undefined;
  if (spawnSync(found, install, { stdio: 'inherit' }).status !== 0) return undefined;
  return works() ? found : undefined;
}

function chosen(): Example[] {
  const only = values.only?.split(',');
  const every = modelNames().map((model) => ({ model, crop: model === 'inception_v3' ? 75 : 64 }));
  return (values.all || only ? every : [...examples, ...heavyExamples]).filter(
    ({ model }) => only === undefined || only.includes(model),
  );
}

async function checkAll(python: string): Promise<{ passed: number; failed: number }> {
  const counts = { passed: 0, failed: 0 };
  const tell = (model: string, format: string, difference: number | undefined, error = '') => {
    const bound = format.includes('float16') ? bounds.float16 : bounds.float32;
    const isGood = difference !== undefined && difference <= bound;
    counts[isGood ? 'passed' : 'failed'] += 1;
    console.log(`${isGood ? '✔' : '✖'} ${model}, ${format}: ${difference?.toPrecision(2) ?? error}`);
  };
  const runtime = await openRuntime('cpu');
  for (const example of chosen()) {
    const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-export-'));
    try {
      tell(example.model, 'tfjs', await tfjsDifference(example));
      await writeCase(runtime, folder, example);
      const { stdout, status, stderr } = spawnSync(python, ['tests/export/check.py', folder], { encoding: 'utf8' });
      if (status !== 0) tell(example.model, 'Python', undefined, stderr.slice(-2000));
      for (const line of stdout.split('\n').filter(Boolean)) {
        const { format, difference, error } = JSON.parse(line) as Record<'format' | 'error', string> & {
          difference?: number;
        };
        tell(example.model, format, difference, error);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return counts;

  async function tfjsDifference({ model, crop }: Example): Promise<number> {
    const network = referenceNetwork(model, { crop });
    const batch = referenceBatch(network);
    const expected = await referenceProbabilities(runtime, network, batch);
    const loaded = await loadGraphModel(exportTfjs(network));
    const found = await loaded.predict(int32(batch.bytes, batch.shape));
    loaded.dispose();
    return largestDifference(found.data, expected.data);
  }
}
