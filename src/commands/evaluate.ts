// `deep-cnn evaluate`: how good a trained network is on images whose classes are known.

import { join, resolve } from 'node:path';
import type { ImageList } from '../data/image-list.js';
import { setDecodeThreads } from '../data/threads.js';
import { exitCode, UserError } from '../errors.js';
import type { ClassifiedImage, ImageResult } from '../inference/classify-images.js';
import type { Evaluation, EvaluationResult } from '../inference/evaluation/evaluation.js';
import type { OpenedNetwork } from '../inference/open-network.js';
import type { Command } from '../options/command.js';
import { computeOptions, networkOptions } from '../options/network-options.js';
import { findDataDir, findRootDir } from '../options/paths.js';
import { choice, flag, optionalText, type ValuesOf } from '../options/spec.js';
import { trainOptions } from '../options.js';
import type { ScreenStream } from '../reporting/progress.js';
import type { Precision } from '../training/precision-choice.js';
import { standardVoices, type Voices } from './voices.js';

const data = 'Data';
const output = 'Output';

export const evaluateOptions = {
  ...networkOptions,
  data_dir: optionalText({
    group: data,
    type: 'folder',
    help: "Folder with train/<class>/* and val/<class>/*; the run's own unless told",
  }),
  split: choice({
    group: data,
    help: 'test is the folder val, which training leaves out; val is the part of the folder train that training validates on; train is the rest of it',
    choices: ['test', 'val', 'train'],
    default: 'test',
  }),
  ...computeOptions,
  output: optionalText({
    group: output,
    type: 'folder',
    help: 'Where to write tables and plots; outputs/evaluations/<run>/<split> unless told',
  }),
  json: flag({ group: output, help: 'Print JSON', default: false }),
};

type Values = ValuesOf<typeof evaluateOptions>;

export const evaluateCommand: Command<typeof evaluateOptions> = {
  name: 'evaluate',
  summary: 'Measure a trained network: loss, precision, confusion, calibration',
  options: evaluateOptions,
  run: (values) => runEvaluation(values, standardVoices),
};

/** Evaluates, prints and writes. Throws a `UserError` for a mistake in the options or the data. */
export async function runEvaluation(values: Values, { print, tell }: Voices): Promise<number> {
  const { report, title } = await evaluateNetwork(values, { tell, screen: process.stderr });
  const { formatEvaluation } = await import('../inference/evaluation/report.js');
  if (values.json) print(`${JSON.stringify(report, undefined, 2)}\n`);
  else {
    print(`${title}, in ${report.data_dir}\n\n${formatEvaluation(report)}\nTables and plots are in ${report.folder}\n`);
  }
  return exitCode.ok;
}

/** What evaluation.json holds. */
export interface EvaluationReport extends EvaluationResult {
  /** The file of the network. */
  network: string;
  model: string;
  data_dir: string;
  split: Values['split'];
  device: 'cpu' | 'cuda';
  precision: Precision;
  /** Images that are left out, as they can't be read. */
  unreadable: readonly { path: string; reason: string }[];
  /** Where the tables and plots are, and their names. */
  folder: string;
  files: readonly string[];
}

/** Evaluates and writes; shows on `screen` how far it is. Throws a `UserError` for a mistake in the options or the data. */
export async function evaluateNetwork(
  values: Values,
  {
    tell,
    screen,
    onImage,
  }: Pick<Voices, 'tell'> & { screen: ScreenStream; onImage?: (image: ClassifiedImage) => void },
): Promise<{ report: EvaluationReport; title: string }> {
  // Before anything else: the thread pool takes its size when it is first used.
  setDecodeThreads(values.workers);
  const rootDir = findRootDir(values.root_dir);
  const [{ openNetwork }, { findEvaluationImages }] = await Promise.all([
    import('../inference/open-network.js'),
    import('../inference/evaluation/images.js'),
  ]);
  const network = await openNetwork(values);
  const { split } = values;
  const dataDir = findDataDir(values.data_dir ?? dataOf(network), rootDir);
  const valSplit = valSplitOf(network);
  const { images, classes, warnings } = await findEvaluationImages(network, { dataDir, split, valSplit });
  const changed = split === 'test' ? undefined : await changedData(network, dataDir, valSplit);
  for (const warning of [...warnings, ...(changed ? [changed] : [])]) tell(`WARNING: ${warning}`);

  const { evaluation, unreadable, ...computed } = await evaluate(network, {
    ...{ images, classes, values, tell, screen, onImage },
  });
  const { result, confusion } = evaluation;
  const { writeEvaluation } = await import('../inference/evaluation/files.js');
  const folder = resolve(values.output ?? join(rootDir, 'outputs', 'evaluations', network.name, split));
  const title = `${network.name}: ${splitNames[split]}`;
  const about = { network: network.path, model: network.model, data_dir: dataDir, split, ...computed, unreadable };
  return { report: await writeEvaluation({ folder, classes, confusion, result, about, title }), title };
}

const splitNames = { test: 'test images', val: 'validation images', train: 'training images' } as const;

/** The data that the network was trained on. */
function dataOf({ history }: OpenedNetwork): string {
  const found = history.options?.['data_dir'];
  if (typeof found === 'string') return found;
  throw new UserError('No images to evaluate on', {
    mend: 'Name the folder that holds train/ and val/ with --data_dir',
  });
}

function valSplitOf({ history }: OpenedNetwork): number {
  const found = history.options?.['val_split'];
  return typeof found === 'number' ? found : trainOptions.val_split.default();
}

/** A warning where the split is not the one of the training, so that images may be on another side of it. */
async function changedData({ run }: OpenedNetwork, dataDir: string, valSplit: number): Promise<string | undefined> {
  if (!run) return undefined;
  const [{ openDataset }, { fingerprintOf }] = await Promise.all([
    import('../data/dataset.js'),
    import('../training/checkpoint/fingerprint.js'),
  ]);
  const now = fingerprintOf(await openDataset(dataDir, { valSplit }), dataDir);
  if (now.sha256 === run.data.sha256) return undefined;
  return `${dataDir} does not hold the images of the training, or not only those: train and val are split in another way, so that images may be on either side.`;
}

interface EvaluatePlan {
  images: ImageList;
  classes: readonly string[];
  values: Values;
  tell: Voices['tell'];
  screen: ScreenStream;
  /** Hears of each image that could be read. */
  onImage: ((image: ClassifiedImage) => void) | undefined;
}

async function evaluate(network: OpenedNetwork, { images, classes, values, tell, screen, onImage }: EvaluatePlan) {
  const [{ startClassifier }, { classifyImages }, { Evaluation }, { createScanProgress }] = await Promise.all([
    import('../inference/start-classifier.js'),
    import('../inference/classify-images.js'),
    import('../inference/evaluation/evaluation.js'),
    import('../reporting/scan-progress.js'),
  ]);
  const { batch_size: batchSize, workers } = values;
  const { classifier, device, precision } = await startClassifier(network, values, { batchSize });
  const evaluation = new Evaluation(classes);
  const unreadable: { path: string; reason: string }[] = [];
  const progress = createScanProgress(screen);
  const { preprocessing } = network;
  try {
    let done = 0;
    progress.update('Evaluating', 0, images.length);
    for await (const batch of classifyImages(classifier, images, { preprocessing, batchSize, workers })) {
      for (const each of batch) note(each, { evaluation, unreadable, onImage });
      done += batch.length;
      progress.update('Evaluating', done, images.length);
    }
  } finally {
    progress.close();
    classifier.close();
  }
  if (evaluation.images === 0)
    throw new UserError('None of the images can be read', {
      found: unreadable[0]?.reason ?? '',
      mend: 'Look at the folder with `deep-cnn data check`',
    });
  await tellUnreadable(unreadable, tell);
  return { evaluation, unreadable, device, precision };
}

interface ImageNotes extends Pick<EvaluatePlan, 'onImage'> {
  evaluation: Evaluation;
  unreadable: { path: string; reason: string }[];
}

function note(each: ImageResult, { evaluation, unreadable, onImage }: ImageNotes): void {
  if ('error' in each) {
    unreadable.push({ path: each.path, reason: each.error });
    return;
  }
  evaluation.add(each);
  onImage?.(each);
}

async function tellUnreadable(images: readonly { path: string; reason: string }[], tell: Voices['tell']) {
  if (images.length === 0) return;
  const [{ abbreviate, count }, { shownPath }] = await Promise.all([
    import('../wording.js'),
    import('../data/shown-path.js'),
  ]);
  const names = images.map(({ path, reason }) => `${shownPath(path)} (${reason})`);
  tell(`WARNING: ${count(images.length, 'image', 'images')} left out that can't be read: ${abbreviate(names)}`);
}
