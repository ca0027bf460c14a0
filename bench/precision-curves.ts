// node build/bench/precision-curves.js: do networks learn in bfloat16 as in float32? Trains each in both, over several
// seeds, on the test images, and prints every epoch's losses, how far the precisions are apart, and how far the seeds.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readOptions } from '#src/options/given.js';
import { trainOptions } from '#src/options.js';
import { train } from '#src/training/train.js';

const data = fileURLToPath(new URL('../../tests/places_test_input', import.meta.url));
const seeds = [1, 2, 3];
const epochs = 8;
const recipes = [
  { model: 'efficientnet_lite0', pretrained: true, lr: 1e-4 },
  { model: 'resnet18', pretrained: false, lr: 3e-4 },
  { model: 'mobilenet_v2', pretrained: false, lr: 3e-4 },
] as const;

const root = await mkdtemp(join(tmpdir(), 'deep-cnn-curves-'));
try {
  for (const recipe of recipes) {
    const curves = { fp32: [] as number[][], bf16: [] as number[][] };
    for (const seed of seeds) {
      for (const precision of ['fp32', 'bf16'] as const)
        curves[precision].push(await curve({ ...recipe, seed, precision }));
    }
    console.log(`${recipe.model}, ${recipe.pretrained ? 'pretrained' : 'from random weights'}, Adam, lr ${recipe.lr}`);
    console.log('epoch  fp32 mean  bf16 mean  apart  fp32 from seed to seed (standard deviation)');
    for (let epoch = 0; epoch < epochs; epoch++) {
      const [single = [], half = []] = (['fp32', 'bf16'] as const).map((name) =>
        curves[name].map((losses) => losses[epoch] ?? Number.NaN),
      );
      const apart = mean(half) / mean(single) - 1;
      const spread = Math.sqrt(mean(single.map((loss) => (loss - mean(single)) ** 2))) / mean(single);
      console.log(
        [
          String(epoch + 1).padStart(5),
          mean(single).toFixed(4),
          mean(half).toFixed(4),
          percent(apart),
          percent(spread),
        ].join('  '),
      );
    }
  }
} finally {
  await rm(root, { recursive: true, force: true });
}

/** The training loss of each epoch. */
async function curve(change: {
  model: string;
  pretrained: boolean;
  lr: number;
  seed: number;
  precision: 'fp32' | 'bf16';
}) {
  const { model, seed, precision } = change;
  const losses: number[] = [];
  const config = {
    ...readOptions(trainOptions, []),
    ...change,
    ...{
      epochs,
      batch_size: 12,
      schedule: 'constant' as const,
      data_dir: data,
      root_dir: root,
      device: 'cpu' as const,
    },
    run_name: `${model}-${seed}-${precision}`,
  };
  await train(config, (event) => {
    if (event.kind === 'epoch-end') losses.push(event.result.train.loss);
  });
  return losses;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
