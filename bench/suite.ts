// Training steps of several networks, in every precision, in turns with PyTorch's settings: figures, a table, a plot.

import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type PlotSpec, plotColours, renderPlot, svgToPng } from '#src/reporting/plot.js';
import { listGpus } from '#src/tensorflow/gpu.js';
import { processorFlags } from '#src/tensorflow/processor.js';
import type { Precision } from '#src/training/precision-choice.js';
import { type Figures, measure, startPytorch } from './start.js';

export interface SuiteOptions {
  /** Networks in place of the suite's own. */
  models: readonly string[] | undefined;
  /** Batch sizes in place of the suite's own. */
  batchSizes: readonly number[] | undefined;
  precisions: readonly Precision[];
  device: 'auto' | 'cpu' | 'cuda';
  steps: number;
  rounds: number;
  /** The Python that has PyTorch, where it is to be measured. */
  pytorch: string | undefined;
  /** Its modes in place of the suite's own. */
  pytorchModes: readonly string[] | undefined;
}

export interface Row {
  model: string;
  batchSize: number;
  setting: string;
  imagesPerSecond: number;
  peakRssMb: number;
  /** Of a GPU's memory, where the steps ran on one. */
  peakGpuMb?: number;
  firstStepSeconds: number;
}

/** When, on what, and with which versions; and how long it was measured. */
type About = Readonly<Record<string, string | number>>;

const usualBatches: ReadonlyMap<string, number> = new Map([
  ['resnet18', 32],
  ['resnet50', 16],
  ['mobilenet_v2', 32],
  ['efficientnet_b0', 32],
]);
const pytorchDefault = 'PyTorch default';
/** Settings of PyTorch by the modes of pytorch.py. */
const pytorchSettings: Readonly<Record<string, string>> = {
  nchw: pytorchDefault,
  channels_last: 'PyTorch channels-last',
  'channels_last+compile': 'PyTorch channels-last, compiled',
  'channels_last+bf16': 'PyTorch channels-last, bf16',
  'channels_last+bf16+compile': 'PyTorch channels-last, bf16, compiled',
};

/** Measures, writes `<date>-<processor>.{json,md,svg,png}` into bench/results, and returns their path without an extension. */
export async function runSuite(options: SuiteOptions): Promise<string> {
  const { models = [...usualBatches.keys()], batchSizes } = options;
  const rows: Row[] = [];
  const versions: Record<string, string> = {};
  for (const model of models) {
    for (const batchSize of batchSizes ?? [usualBatches.get(model) ?? 32]) {
      rows.push(...(await measureAll({ model, batchSize }, options, versions)));
    }
  }
  const date = new Date().toISOString().slice(0, 10);
  const isOnGpu = rows.some(({ peakGpuMb }) => peakGpuMb !== undefined);
  const processor = (isOnGpu ? listGpus()[0]?.split(',')[0] : processorName()) ?? 'unknown';
  const { steps, rounds } = options;
  const about = { date, processor, cores: cpus().length, node: process.version, ...versions, steps, rounds };
  const folder = fileURLToPath(new URL('../../bench/results', import.meta.url));
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${date}-${processor.replace(/\W+/g, '-').replace(/-$/, '')}`);
  await writeFile(`${path}.json`, `${JSON.stringify({ ...about, rows }, undefined, 2)}\n`);
  await writeFile(`${path}.md`, table(about, rows));
  const svg = await renderPlot(plot(about, rows));
  await writeFile(`${path}.svg`, svg);
  await writeFile(`${path}.png`, await svgToPng(svg));
  return path;
}

/** The name that the processor gives itself, which may be that of several generations, and its vectors. */
function processorName(): string | undefined {
  const flags = processorFlags();
  const best = Object.entries({ amx_bf16: 'AMX', avx512f: 'AVX-512', avx2: 'AVX2' }).find(([flag]) => flags.has(flag));
  const name = cpus()[0]?.model.replaceAll('(R)', '').trim();
  return name && [name, ...(best?.slice(1) ?? [])].join(', ');
}

/** One network: each setting once, then each a second time, and so on, so that a noisy minute meets all alike. */
async function measureAll(
  { model, batchSize }: Pick<Row, 'model' | 'batchSize'>,
  { device, steps, rounds, pytorch, pytorchModes = Object.keys(pytorchSettings), precisions }: SuiteOptions,
  versions: Record<string, string>,
): Promise<Row[]> {
  const settings = new Map<string, () => Promise<Figures>>();
  for (const precision of precisions) {
    const work = { what: 'steps', model, batchSize, steps, device, precision, folder: '' } as const;
    settings.set(`deep-cnn ${precision}`, () => measure(work));
  }
  if (pytorch !== undefined) {
    for (const mode of pytorchModes) {
      settings.set(pytorchSettings[mode] ?? `PyTorch ${mode}`, () =>
        startPytorch(pytorch, { model, batchSize, steps, mode }, ['--steps_only']),
      );
    }
  }
  const turns = new Map<string, Figures[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [setting, start] of settings) {
      const figures = await start();
      console.log(JSON.stringify({ model, batch_size: batchSize, setting, ...figures }));
      turns.set(setting, [...(turns.get(setting) ?? []), figures]);
      for (const name of ['torch', 'tensorflow']) {
        if (typeof figures[name] === 'string') versions[name] = figures[name];
      }
    }
  }
  return [...turns].map(([setting, figures]) => ({ model, batchSize, setting, ...summary(figures) }));
}

/** Of all turns: the fastest, which the neighbours disturbed least, and the largest. */
function summary(turns: readonly Figures[]) {
  const all = (name: string) => turns.map((figures) => Number(figures[name]));
  return {
    imagesPerSecond: Math.max(...all('train_images_per_second')),
    peakRssMb: Math.max(...all('peak_rss_mb')),
    ...(turns.every((figures) => 'peak_gpu_mb' in figures) && { peakGpuMb: Math.max(...all('peak_gpu_mb')) }),
    firstStepSeconds: Math.min(...all('first_step_seconds')),
  };
}

export function table(about: About, rows: readonly Row[]): string {
  const memory = rows.some(({ peakGpuMb }) => peakGpuMb !== undefined) ? 'peakGpuMb' : 'peakRssMb';
  const cells = rows.map((row) => {
    const base = rows.find(
      ({ model, batchSize, setting }) =>
        model === row.model && batchSize === row.batchSize && setting === pytorchDefault,
    );
    const ratio = (of: 'imagesPerSecond' | typeof memory) => {
      return base ? (Number(row[of]) / Number(base[of])).toFixed(2) : '';
    };
    const figures = [
      row.imagesPerSecond.toFixed(1),
      ratio('imagesPerSecond'),
      Number(row[memory]).toFixed(0),
      ratio(memory),
      row.firstStepSeconds.toFixed(1),
    ];
    return `| ${[row.model, row.batchSize, row.setting, ...figures].join(' | ')} |`;
  });
  return [
    `${Object.entries(about)
      .map(([name, value]) => `${name}: ${value}`)
      .join(
        ', ',
      )}. A full training step at 224 x 224, Adam; of all turns the fastest. The ratios are to PyTorch's default, NCHW in float32.`,
    '',
    `| Network | Batch | Setting | Images/s | Ratio | Peak ${memory === 'peakGpuMb' ? 'GPU ' : ''}memory, MB | Ratio | Start to first step, s |`,
    '|---|---|---|---|---|---|---|---|',
    ...cells,
    '',
  ].join('\n');
}

/** Bars of images a second, a panel for each network. */
export function plot(about: About, rows: readonly Row[]): PlotSpec {
  const settings = [...new Set(rows.map(({ setting }) => setting))];
  const [ours, theirs] = plotColours;
  const values = rows.map((row) => ({
    panel: `${row.model}, batch ${row.batchSize}`,
    setting: row.setting,
    program: row.setting.startsWith('deep-cnn') ? 'deep-cnn' : 'PyTorch',
    speed: row.imagesPerSecond,
    label: row.imagesPerSecond.toFixed(1),
  }));
  const x = { field: 'speed', type: 'quantitative', title: null, axis: { tickCount: 4 } } as const;
  const y = { field: 'setting', type: 'nominal', title: null, sort: settings } as const;
  return {
    title: {
      text: 'Training, images a second',
      subtitle: `${about['processor']}, ${about['cores']} cores, ${about['date']}; 224 x 224 pixels, Adam`,
    },
    data: { values },
    columns: 2,
    facet: {
      field: 'panel',
      type: 'nominal',
      title: null,
      sort: [...new Set(values.map(({ panel }) => panel))],
    },
    spec: {
      width: 260,
      height: { step: 20 },
      layer: [
        {
          mark: { type: 'bar', cornerRadiusEnd: 2 },
          encoding: {
            x,
            y,
            color: {
              field: 'program',
              type: 'nominal',
              legend: null,
              scale: { domain: ['deep-cnn', 'PyTorch'], range: [ours, theirs] },
            },
          },
        },
        {
          mark: { type: 'text', align: 'left', dx: 4, fontSize: 11 },
          encoding: { x, y, text: { field: 'label', type: 'nominal' } },
        },
      ],
    },
    resolve: { scale: { x: 'independent' } },
  };
}
