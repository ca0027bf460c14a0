// Training steps of several networks, in every precision, in turns with PyTorch's settings; a table of them.

import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Figures, measure, startPytorch } from './start.js';

export interface SuiteOptions {
  /** One network in place of all. */
  only: string | undefined;
  device: 'auto' | 'cpu' | 'cuda';
  steps: number;
  rounds: number;
  /** The Python that has PyTorch, where it is to be measured. */
  pytorch: string | undefined;
}

interface Row {
  model: string;
  batchSize: number;
  setting: string;
  imagesPerSecond: number;
  peakRssMb: number;
  firstStepSeconds: number;
}

const works = [
  { model: 'resnet18', batchSize: 32 },
  { model: 'resnet50', batchSize: 16 },
  { model: 'mobilenet_v2', batchSize: 32 },
  { model: 'efficientnet_b0', batchSize: 32 },
];
const pytorchModes = ['nchw', 'channels_last', 'channels_last+bf16', 'channels_last+compile'];

/** Measures, writes `<date>-<processor>.{json,md}` into bench/results, and returns their path without an extension. */
export async function runSuite({ only, device, steps, rounds, pytorch }: SuiteOptions): Promise<string> {
  const rows: Row[] = [];
  let torch: string | undefined;
  for (const { model, batchSize } of works.filter(({ model }) => only === undefined || model === only)) {
    const settings = new Map<string, () => Promise<Figures>>();
    for (const precision of ['fp32', 'bf16'] as const) {
      const work = { what: 'steps', model, batchSize, steps, device, precision, folder: '' } as const;
      settings.set(`deep-cnn ${precision}`, () => measure(work));
    }
    for (const mode of pytorch === undefined ? [] : pytorchModes) {
      const work = { model, batchSize, steps, mode };
      settings.set(`PyTorch ${mode}`, () => startPytorch(pytorch ?? '', work, ['--steps_only']));
    }
    const found = new Map<string, Figures[]>();
    for (let round = 0; round < rounds; round++) {
      for (const [setting, start] of settings) {
        const figures = await start();
        console.log(JSON.stringify({ model, batch_size: batchSize, setting, ...figures }));
        found.set(setting, [...(found.get(setting) ?? []), figures]);
        if (typeof figures['torch'] === 'string') torch = figures['torch'];
      }
    }
    for (const [setting, figures] of found) rows.push({ model, batchSize, setting, ...summary(figures) });
  }
  const date = new Date().toISOString().slice(0, 10);
  const processor = cpus()[0]?.model.trim() ?? 'unknown';
  const about = {
    date,
    processor,
    cores: cpus().length,
    node: process.version,
    ...(torch && { torch }),
    steps,
    rounds,
  };
  const folder = fileURLToPath(new URL('../../bench/results', import.meta.url));
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${date}-${processor.replace(/\W+/g, '-').replace(/-$/, '')}`);
  await writeFile(`${path}.json`, `${JSON.stringify({ ...about, rows }, undefined, 2)}\n`);
  await writeFile(`${path}.md`, table(about, rows));
  return path;
}

/** Of all turns: the fastest, which the neighbours disturbed least. */
function summary(turns: readonly Figures[]) {
  const all = (name: string) => turns.map((figures) => Number(figures[name]));
  return {
    imagesPerSecond: Math.max(...all('train_images_per_second')),
    peakRssMb: Math.max(...all('peak_rss_mb')),
    firstStepSeconds: Math.min(...all('first_step_seconds')),
  };
}

function table(about: Readonly<Record<string, unknown>>, rows: readonly Row[]): string {
  const cells = rows.map((row) => {
    const base = rows.find(({ model, setting }) => model === row.model && setting === 'PyTorch nchw');
    const ratio = base ? (row.imagesPerSecond / base.imagesPerSecond).toFixed(2) : '';
    const figures = [row.imagesPerSecond.toFixed(1), ratio, row.peakRssMb.toFixed(0), row.firstStepSeconds.toFixed(1)];
    return `| ${[row.model, row.batchSize, row.setting, ...figures].join(' | ')} |`;
  });
  return [
    `${Object.entries(about)
      .map(([name, value]) => `${name}: ${value}`)
      .join(', ')}. A full training step at 224 x 224, Adam; the best of all turns.`,
    '',
    '| Network | Batch | Setting | Images/s | of PyTorch nchw | Peak memory, MB | Start to first step, s |',
    '|---|---|---|---|---|---|---|',
    ...cells,
    '',
  ].join('\n');
}
