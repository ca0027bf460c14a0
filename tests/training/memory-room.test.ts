import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { UserError } from '#src/errors.js';
import { openRuntime, type Runtime } from '#src/tensorflow/runtime.js';
import { availableBytes } from '#src/training/available-memory.js';
import { cutAtLeast } from '#src/training/batch-parts.js';
import { compileSteps } from '#src/training/compile-steps.js';
import { partsThatFit } from '#src/training/memory-room.js';
import { explainMemory, isOutOfMemory } from '#src/training/out-of-memory.js';
import { classes, input, tinyBatch, tinyModel } from './tiny-network.js';

const gigabyte = 1e9;

/** Steps that take so much, and so much more for each image, on a machine that has so much free before them. */
function room(available: number, { base = gigabyte, perImage = 0.1 * gigabyte } = {}) {
  let images = 0;
  const steps = {
    drawWeights: () => {},
    gradients: ({ labels }: { labels: Int32Array }) => {
      images = labels.length;
      return new Map();
    },
  };
  const peakOf = (work: () => void) => {
    work();
    return base + images * perImage;
  };
  return { steps, parts: { available: () => available, peakOf } };
}

test('16 images count where 8 have shown less, and are computed only where there is room for them', () => {
  const partsWith = (free: number) => {
    const { steps, parts } = room(free * gigabyte);
    const seen: number[] = [];
    const gradients = (batch: { labels: Int32Array }) => {
      seen.push(batch.labels.length);
      return steps.gradients(batch);
    };
    // Eight images seem to take as much as six.
    const hidden = () => (seen.at(-1) === 8 ? 0.2 * gigabyte : 0);
    const peakOf = (work: () => void) => parts.peakOf(work) - hidden();
    return { parts: partsThatFit({ ...steps, gradients }, { images: 128, crop: 4 }, { ...parts, peakOf }), seen };
  };
  assert.deepEqual(partsWith(10), { parts: 2, seen: [4, 4, 8, 16] });
  // By 0.05 GB an image, for want of a better measure.
  assert.deepEqual(partsWith(1), { parts: 6, seen: [4, 4, 8] });
});

for (const [free, images, expected] of [
  // 4 images are in the process already when it is asked what is free; a tenth is spared.
  [20, 128, 1],
  [10, 128, 2],
  [5, 128, 3],
  [1, 128, 10],
  [0, 128, 32],
  [0.01, 3, 1],
] as const) {
  test(`${images} images with ${free} GB free: ${expected} parts`, () => {
    const { steps, parts } = room(free * gigabyte);
    assert.equal(partsThatFit(steps, { images, crop: 4 }, parts), expected);
  });
}

test('where memory can not be measured, or an image takes none, a batch stays whole', () => {
  const { steps, parts } = room(1);
  assert.equal(partsThatFit(steps, { images: 64, crop: 4 }, { ...parts, peakOf: () => Number.NaN }), 1);
  assert.equal(partsThatFit(steps, { images: 64, crop: 4 }, { ...parts, peakOf: () => 5 }), 1);
});

test('memory that is promised to others is none', () => {
  const { steps, parts } = room(10 * gigabyte);
  const partsWith = (reserved: number) => partsThatFit(steps, { images: 128, crop: 4, reserved }, parts);
  assert.deepEqual([partsWith(0), partsWith(5 * gigabyte), partsWith(20 * gigabyte)], [2, 3, 32]);
});

for (const [before, after] of [
  [1, 3],
  [2, 3],
  [3, undefined],
  [4, undefined],
] as const) {
  test(`a run in ${before} parts that goes on where 3 are needed is computed in ${after ?? before}`, () => {
    const running = { parts: before };
    const told: object[] = [];
    cutAtLeast(running, { images: 128, parts: 3 }, (split) => told.push(split));
    assert.deepEqual(
      [running.parts, told],
      [after ?? before, after === undefined ? [] : [{ images: 128, parts: after }]],
    );
  });
}

test('this machine has memory, and not more than it has', () => {
  const total = Number(/^MemTotal:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]) * 1024;
  assert.ok(availableBytes() > 1e7 && availableBytes() <= total);
});

test("TensorFlow's and C++'s words for it are known, others are not", () => {
  for (const words of [
    'Session fail to run with error: OOM when allocating tensor with shape[128,64,112,112] and type float',
    'RESOURCE_EXHAUSTED: failed to allocate memory',
    'std::bad_alloc',
  ]) {
    assert.ok(isOutOfMemory(new Error(words)), words);
  }
  assert.ok(!isOutOfMemory(new Error('Incompatible shapes: [1] vs. [2]')));
});

test('want of memory is told with a way on, which is --resume only where there is a checkpoint', () => {
  const words = (checkpoint?: string) => {
    const error = explainMemory(new Error('std::bad_alloc'), { batchSize: 128, checkpoint });
    assert.ok(error instanceof UserError);
    return error.message;
  };
  assert.match(words(), /a step of 128 images.*bad_alloc\. Choose a smaller --batch_size.*--auto_batch/);
  assert.doesNotMatch(words(), /--resume/);
  assert.match(words('/o/last.safetensors'), /Go on from \/o\/last\.safetensors with --resume and --auto_batch\./);
  const other = new Error('a bug');
  assert.equal(explainMemory(other, { batchSize: 128 }), other);
});

const splittable = {
  model: tinyModel,
  classes,
  input,
  optimizer: { kind: 'sgd' },
  accumulate: true,
  guard: true,
} as const;

/** A runtime that has memory for so many images at once. */
async function tightRuntime(most: number): Promise<Runtime> {
  const runtime = await openRuntime('cpu');
  return {
    ...runtime,
    loadModel: async (...args) => {
      const model = await runtime.loadModel(...args);
      return {
        ...model,
        run: (name, inputs) => {
          if ((inputs['labels']?.data.length ?? 0) > most) throw new Error('OOM when allocating tensor with shape[9]');
          return model.run(name, inputs);
        },
      };
    },
  };
}

test('where there is no memory for a batch it is halved until there is, and the run remembers', async () => {
  const told: object[] = [];
  const tight = await compileSteps(await tightRuntime(3), { ...splittable, onSplit: (split) => told.push(split) });
  const plain = await compileSteps(await openRuntime('cpu'), splittable);
  after(() => [tight, plain].map((steps) => steps.dispose()));
  for (const steps of [tight, plain]) steps.drawWeights(31);
  const result = tight.train(tinyBatch(300, 11), 0.05);
  assert.equal(result.images, 11);
  assert.deepEqual(told, [
    { images: 11, parts: 2 },
    { images: 11, parts: 4 },
    { images: 11, parts: 5 },
  ]);
  assert.equal(tight.counters.parts, 5);
  assert.equal(tight.counters.step, 1);
  assert.equal(tight.evaluate(tinyBatch(301, 10)).logits.length, 10 * classes);
  // The next batches are cut at once, and a run that goes on cuts as well.
  plain.restore({ weights: tight.readWeights(), slots: tight.readSlots(), counters: tight.counters });
  const [a, b] = [tight, plain].map((steps) => steps.train(tinyBatch(302, 11), 0.05));
  assert.deepEqual(a, b);
  assert.equal(told.length, 3);
});

test('without leave to split, the error stands; so it does for a single image', async () => {
  const whole = await compileSteps(await tightRuntime(3), splittable);
  const single = await compileSteps(await tightRuntime(0), { ...splittable, onSplit: () => {} });
  after(() => [whole, single].map((steps) => steps.dispose()));
  for (const steps of [whole, single]) {
    steps.drawWeights(32);
    assert.throws(() => steps.train(tinyBatch(310, 4), 0.05), /OOM when allocating/);
  }
});

const groups = '/sys/fs/cgroup/memory';

/** A control group (version 1) with so much memory; undefined where none can be made. */
function memoryGroup(bytes: number): string | undefined {
  const folder = join(groups, `deep-cnn-test-${process.pid}`);
  try {
    mkdirSync(folder);
    writeFileSync(join(folder, 'memory.limit_in_bytes'), String(bytes));
    return folder;
  } catch {
    return undefined;
  }
}

test('in a job with little memory a run goes on in parts, where it would be killed otherwise', async (t) => {
  const group = memoryGroup(1.6e9);
  if (group === undefined) return t.skip('no control group can be made here');
  const root = mkdtempSync(join(tmpdir(), 'deep-cnn-memory-'));
  const cli = fileURLToPath(new URL('../../../dist/cli.js', import.meta.url));
  const data = fileURLToPath(new URL('../../../tests/places_test_input', import.meta.url));
  const options = ['--model=resnet18', '--pretrained=False', '--precision=fp32', '--batch_size=64'];
  const run = (place: 'inside' | 'outside', ...more: string[]) =>
    new Promise<{ code: number | null; signal: string | null; text: string }>((resolve) => {
      const enter = place === 'inside' ? `echo $$ > ${group}/cgroup.procs; ` : '';
      const command = `${enter}exec ${process.execPath} ${cli} "$@"`;
      const args = [`--root_dir=${root}`, `--data_dir=${data}`, '--device=cpu', ...options, ...more];
      const child = spawn('/bin/sh', ['-c', command, 'sh', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
      let text = '';
      child.stdout.on('data', (part: Buffer) => {
        text += part.toString();
      });
      child.on('close', (code, signal) => resolve({ code, signal, text }));
    });
  try {
    const outside = await run('outside', '--epochs=1', '--auto_batch');
    assert.equal(outside.code, 0, outside.text);
    assert.equal((await run('inside', '--epochs=2', '--resume', '--auto_batch=False')).signal, 'SIGKILL');
    const { code, text } = await run('inside', '--epochs=2', '--resume', '--auto_batch');
    assert.equal(code, 0, text);
    assert.match(text, /There is no memory for \d+ images at once: each batch is computed in \d+ parts/);
    assert.match(text, /LOSS train/);
  } finally {
    rmSync(root, { recursive: true, force: true });
    rmdirSync(group);
  }
});
