// README.md of an export: what the network is, what it was trained on, how good it is, and how to use it, in the way of
// model cards (Mitchell et al. 2019, arXiv:1810.03993).

import type { OpenedNetwork } from '../inference/open-network.js';
import { factsOf } from '../models/facts.js';
import { assignmentText } from '../options/option-text.js';
import type { RunDescription } from '../reporting/run-description.js';
import { version } from '../version.js';
import { count } from '../wording.js';
import type { FormatName, FormatOptions } from './formats.js';
import { howToLoad } from './how-to-load.js';

export interface CardFacts {
  network: OpenedNetwork;
  /** Of the run that trained it, where that is known. */
  run: RunDescription | undefined;
  format: FormatName;
  options: FormatOptions;
  /** One sentence on how the export was compared with the network. */
  verified: string;
}

/** The text of an export's README.md. */
export function modelCard({ network, run, format, options, verified }: CardFacts): string {
  const { model, classes, preprocessing, history } = network;
  const name = run ? String(run.options['run_name']) : model;
  const { resize, crop, interpolation, mean, std } = preprocessing;
  const shown = classes.length > shownClasses ? [...classes.slice(0, shownClasses), '...'] : classes;
  return `${[
    `# ${name}`,
    `A network that tells ${classes.length} classes of images apart: ${shown.join(', ')}.`,
    '## Model details',
    list([
      `Network: ${model} by torchvision's name, ${parameterCount(network)} parameters`,
      `Format: ${format}, weights as ${options.quantize === 'none' ? 'float32' : options.quantize}`,
      ...(history.epoch === undefined ? [] : [`Trained for ${count(history.epoch, 'epoch', 'epochs')}`]),
      `Written by deep-cnn ${version}. ${verified}`,
      `Licence: ${licence(network, run)}`,
    ]),
    '## Intended use',
    'Images like those it was trained on. It gives a probability to each of its classes, and none to anything else: an ' +
      'image of something that is none of them is called one of them all the same.',
    '## Training data',
    trainingData(run),
    '## Metrics',
    metrics(network, run),
    '## Preprocessing',
    `The shorter side is resized to ${resize} pixels (${interpolation}, as Pillow does), the ${crop} x ${crop} pixels at ` +
      `the centre are cut out, and (value / 255 - mean) / std is computed with the mean ${mean.join(', ')} and the ` +
      `deviation ${std.join(', ')} of red, green and blue. ${whoNormalises(format, options)}`,
    '## How to load it',
    howToLoad(format, { model, crop, classes: classes.length, input: options.input }),
    ...(history.options ? ['## Options of the training', optionList(history.options)] : []),
  ].join('\n\n')}\n`;
}

const shownClasses = 20;

const list = (items: readonly string[]) => items.map((item) => `- ${item}`).join('\n');

function parameterCount({ weights }: OpenedNetwork): string {
  const isBuffer = (name: string) => /\.running_(mean|var)$/.test(name);
  const count = [...weights].reduce((sum, [name, { data }]) => sum + (isBuffer(name) ? 0 : data.length), 0);
  return count.toLocaleString('en-GB');
}

/** What is known of the licence: that of the weights that training started from. */
function licence({ model, history }: OpenedNetwork, run: RunDescription | undefined): string {
  const start = run?.weights;
  if (start === null) return 'yours to choose: training started from random weights';
  const isPublished = history.options?.['pretrained'] === true && history.options['weights'] === undefined;
  const { licence: ofWeights, weights } = factsOf(model);
  if (isPublished) {
    return `the weights that training started from (${weights}, ImageNet) are under ${ofWeights}; the images' own terms hold as well`;
  }
  return `that of the weights that training started from${start ? ` (${start})` : ''}, and of the images`;
}

function trainingData(run: RunDescription | undefined): string {
  if (!run) return 'The file of weights does not tell what it was trained on.';
  const { train, validation, test, sha256 } = run.data;
  return (
    `${count(train, 'image', 'images')} to train on, ${validation} for validation, ${test} held out for the test. The sha256 of their ` +
    `names and labels begins with ${sha256.slice(0, 12)}.`
  );
}

function metrics({ history }: OpenedNetwork, run: RunDescription | undefined): string {
  const rows = [
    ['Training', history.metrics?.train],
    ['Validation', history.metrics?.validation],
    // The test is of the network after the last epoch.
    ['Test', run?.epochs.at(-1)?.epoch === history.epoch ? run?.test : undefined],
  ] as const;
  const lines = rows.flatMap(([name, found]) => {
    if (!found) return [];
    return [
      `| ${name} | ${found.loss.toFixed(4)} | ${found.precisionAt1.toFixed(1)} % | ${found.precisionAt5.toFixed(1)} % |`,
    ];
  });
  if (lines.length === 0) return 'None are known.';
  return ['| Images | Loss | Precision@1 | Precision@5 |', '|---|---|---|---|', ...lines].join('\n');
}

function whoNormalises(format: FormatName, { input }: FormatOptions): string {
  if (format === 'safetensors') return 'All of it happens before the network.';
  return input === 'bytes'
    ? 'The last of these is part of the exported network, which takes the bytes.'
    : 'All of it happens before the exported network.';
}

function optionList(options: Readonly<Record<string, unknown>>): string {
  // Places on somebody's disk tell nobody anything.
  const told = Object.entries(options).filter(([key, value]) => !isPlace(key) && value !== undefined && value !== null);
  return told.map(([key, value]) => `\`--${assignmentText(key, value)}\``).join(' ');
}

const isPlace = (key: string) => ['root_dir', 'data_dir', 'config', 'resume'].includes(key);
