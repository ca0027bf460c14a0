// Networks of every family on a GPU, against the same ones on the processor.

import assert from 'node:assert/strict';
import { defined } from '#src/defined.js';
import { findModel } from '#src/models/registry.js';
import { openRuntime, type Runtime } from '#src/tensorflow/runtime.js';
import { compileSteps } from '#src/training/compile-steps.js';
import type { StepGraphOptions } from '#src/training/step-graph.js';
import type { StepBatch, Steps } from '#src/training/steps.js';
import type { StateDict } from '#src/weights/state-dict.js';
import { noise } from '../graph/samples.js';
import { computeInFull, testOnGpu } from './gpus.js';

computeInFull();

const families = [
  ...['alexnet', 'densenet121', 'efficientnet_b0', 'efficientnet_lite0', 'efficientnet_v2_s', 'googlenet'],
  ...['inception_v3', 'mnasnet1_0', 'mobilenet_v2', 'mobilenet_v3_large', 'regnet_y_400mf', 'resnet18'],
  ...['resnext50_32x4d', 'shufflenet_v2_x1_0', 'squeezenet1_1', 'vgg11_bn'],
];
const classes = 10;

let opened: Promise<Runtime> | undefined;
function runtime(): Promise<Runtime> {
  opened ??= openRuntime('cuda');
  return opened;
}

for (const name of families) {
  // Below 299 pixels Inception v3 has no room for its auxiliary head.
  const crop = name === 'inception_v3' ? 299 : 128;
  const batch = someImages(4, crop);
  const compile = async (options: Partial<StepGraphOptions>) =>
    compileSteps(await runtime(), {
      model: defined(findModel(name)),
      classes,
      input: { crop, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
      optimizer: { kind: 'adam' },
      dropout: false,
      ...options,
    });
  const use = async <T>(options: Partial<StepGraphOptions>, work: (steps: Steps) => T): Promise<T> => {
    const steps = await compile(options);
    try {
      steps.drawWeights(7);
      return work(steps);
    } finally {
      steps.dispose();
    }
  };

  testOnGpu(`${name} has the gradients that it has on the processor`, async () => {
    const there = await use({ devices: ['/device:CPU:0'] }, (steps) => steps.gradients(batch));
    const here = await use({}, (steps) => steps.gradients(batch));
    const distance = distanceOf(here, there);
    console.log(`${name}: ${distance.toExponential(1)}`);
    // A batch norm of so few values makes much of little.
    assert.ok(distance < 5e-2, `${distance}`);
  });

  testOnGpu(`${name} trains all of it in float32, bfloat16 and float16`, async () => {
    const firstLosses: number[] = [];
    for (const precision of ['float32', 'bfloat16', 'float16'] as const) {
      const { losses, still } = await use({ precision }, (steps) => {
        const before = steps.readWeights();
        // In float16 the first ones may be left out, in search of the scale.
        const losses = Array.from({ length: 8 }, () => steps.train(batch, 1e-4).loss);
        return { losses, still: steps.trained.filter(({ name }) => isSame(before, steps.readWeights(), name)) };
      });
      console.log(`${name}, ${precision}: ${losses}`);
      assert.ok(losses.every(Number.isFinite), `${losses}`);
      assert.deepEqual(still, []);
      firstLosses.push(losses[0] ?? Number.NaN);
    }
    const [full = Number.NaN, ...others] = firstLosses;
    for (const loss of others) assert.ok(Math.abs(loss / full - 1) < 0.15, `${loss}, not ${full}`);
  });
}

function isSame(before: StateDict, now: StateDict, name: string): boolean {
  const values = defined(now.get(name)).data;
  return defined(before.get(name)).data.every((value, i) => value === values[i]);
}

/** How far one is from the other, in parts of the other's length. */
function distanceOf(found: StateDict, expected: StateDict): number {
  let [apart, all] = [0, 0];
  for (const [name, { data }] of expected) {
    const other = defined(found.get(name)).data;
    for (const [i, value] of data.entries()) {
      apart += ((other[i] ?? Number.NaN) - value) ** 2;
      all += value ** 2;
    }
  }
  return Math.sqrt(apart / all);
}

function someImages(count: number, crop: number): StepBatch {
  const pixels = Uint8Array.from(noise(3, 3 * crop ** 2 * count), (value) => 128 + 60 * value);
  return { pixels, labels: Int32Array.from({ length: count }, (_, index) => index % classes) };
}
