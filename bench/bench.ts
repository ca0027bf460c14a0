// npm run bench -- --model=resnet18 --batch_size=32 --steps=8: how fast this machine trains, as one line of JSON.
// With --pytorch=PYTHON the same work is done by PyTorch, in turns, and the ratios are printed as well.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { modelNames } from '#src/models/registry.js';
import { writeBenchImages } from './images.js';
import type { Work } from './measure.js';
import { type Figures, measure, startPytorch } from './start.js';
import { runSuite } from './suite.js';

const help = `Usage: npm run bench -- [options]

  --model=NAME         network (resnet18); with --suite several, joined by commas
  --batch_size=N       images in a step (32); with --suite several, joined by commas
  --steps=N            steps in each of three rounds (8)
  --precision=P        arithmetic: fp32, bf16, fp16 (fp32; with --suite the first two, or those given, joined by commas)
  --device=DEVICE      auto, cpu or cuda (auto)
  --pytorch=PYTHON     also measure PyTorch, with this Python; it needs torch, torchvision and pillow
  --pytorch_mode=MODE  its setting, of nchw, channels_last, bf16 and compile, joined by + (nchw); with --suite several,
                       joined by commas (five of them)
  --rounds=N           with --pytorch or --suite: turns of each (2)
  --suite              training steps of several networks in all precisions (and, with --pytorch, all of its settings),
                       in turns, into a table and a plot in bench/results
`;

const allPrecisions = ['fp32', 'bf16', 'fp16'] as const;
const settings = readSettings();
if (settings.suite) {
  const { models, batchSizes, precisions, device, steps, rounds, pytorch, pytorchModes } = settings;
  const path = await runSuite({ models, batchSizes, precisions, device, steps, rounds, pytorch, pytorchModes });
  console.log(`Wrote ${path}.md, .json, .svg and .png`);
  process.exit(0);
}
const folder = await mkdtemp(join(tmpdir(), 'deep-cnn-bench-'));
try {
  await writeBenchImages(folder, Math.max(settings.batchSize * settings.steps, 256));
  await measureAll(join(folder, 'train'));
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function measureAll(images: string): Promise<void> {
  const { model, batchSize, steps, device, precision, pytorch, rounds } = settings;
  const work = { model, batchSize, steps, device, precision, folder: images };
  const named = { model, batch_size: batchSize, precision };
  if (pytorch === undefined) {
    console.log(JSON.stringify({ ...named, ...rounded(await measureOurs(work)) }));
    return;
  }
  const ours: Figures[] = [];
  const theirs: Figures[] = [];
  for (let round = 0; round < rounds; round++) {
    ours.push(await measureOurs(work));
    console.log(JSON.stringify({ program: 'deep-cnn', ...named, ...rounded(ours.at(-1)) }));
    theirs.push(await measurePytorch(pytorch, images));
    console.log(JSON.stringify({ program: 'pytorch', ...named, ...rounded(theirs.at(-1)) }));
  }
  console.log(JSON.stringify({ program: 'deep-cnn / pytorch', ...named, ...rounded(ratios(ours, theirs)) }));
}

async function measureOurs(work: Omit<Work, 'what'>): Promise<Figures> {
  const training = await measure({ ...work, what: 'training' });
  return { ...training, ...(await measure({ ...work, what: 'loader' })) };
}

function measurePytorch(python: string, images: string): Promise<Figures> {
  const { model, batchSize, steps, pytorchModes } = settings;
  const mode = pytorchModes?.[0] ?? 'nchw';
  return startPytorch(python, { model, batchSize, steps, mode }, [`--folder=${images}`]);
}

/** Mean of ours over mean of theirs, for each figure that both have. */
function ratios(ours: readonly Figures[], theirs: readonly Figures[]): Figures {
  const names = Object.keys(ours[0] ?? {}).filter((name) => typeof theirs[0]?.[name] === 'number');
  const mean = (runs: readonly Figures[], name: string) =>
    runs.reduce((sum, run) => sum + Number(run[name]), 0) / runs.length;
  return Object.fromEntries(names.map((name) => [name, mean(ours, name) / mean(theirs, name)]));
}

function rounded(figures: Figures = {}): Figures {
  return Object.fromEntries(
    Object.entries(figures).map(([name, value]) => [
      name,
      typeof value === 'number' ? Number(value.toPrecision(4)) : value,
    ]),
  );
}

function readSettings() {
  const args = process.argv
    .slice(2)
    .map((arg) => arg.replace(/^--[^=]*/, (name) => `--${name.slice(2).replaceAll('-', '_')}`));
  const text = { type: 'string' } as const;
  const options = {
    model: text,
    batch_size: text,
    steps: text,
    precision: text,
    device: text,
    pytorch: text,
    pytorch_mode: text,
    rounds: text,
    suite: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  try {
    const { values } = parseArgs({ args, options });
    if (values.help) {
      console.log(help);
      process.exit(0);
    }
    const models = list(values.model)?.map((name) => oneOf('model', name, modelNames()));
    const batchSizes = list(values.batch_size)?.map((size) => count('batch_size', size));
    const precisions = list(values.precision)?.map((name) => oneOf('precision', name, allPrecisions));
    const pytorchModes = list(values.pytorch_mode);
    if (!values.suite && [models, batchSizes, precisions, pytorchModes].some((given) => given && given.length > 1)) {
      throw new Error('Only --suite measures several.');
    }
    return {
      suite: values.suite ?? false,
      models,
      batchSizes,
      precisions: precisions ?? ['fp32', 'bf16'],
      model: models?.[0] ?? 'resnet18',
      batchSize: batchSizes?.[0] ?? 32,
      steps: count('steps', values.steps ?? '8'),
      precision: precisions?.[0] ?? 'fp32',
      device: oneOf('device', values.device ?? 'auto', ['auto', 'cpu', 'cuda'] as const),
      pytorch: values.pytorch,
      pytorchModes,
      rounds: count('rounds', values.rounds ?? '2'),
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${help}`);
    process.exit(2);
  }
}

function list(value: string | undefined): string[] | undefined {
  return value?.split(',');
}

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((choice) => choice === value);
  if (found === undefined) throw new Error(`--${name}: expected one of ${allowed.join(', ')}, found ${value}.`);
  return found;
}

function count(name: string, value: string): number {
  if (!/^[1-9]\d*$/.test(value)) throw new Error(`--${name}: expected an integer, 1 or more, found ${value}.`);
  return Number(value);
}
