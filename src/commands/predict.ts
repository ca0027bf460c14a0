// `deep-cnn predict`: what a trained network sees in images, one row each, and why.

import { join } from 'node:path';
import { setDecodeThreads } from '../data/threads.js';
import { exitCode, UserError } from '../errors.js';
import type { OpenedNetwork } from '../inference/open-network.js';
import type { Prediction, PredictionFormat } from '../inference/predictions.js';
import type { Command } from '../options/command.js';
import { quoted } from '../options/given.js';
import { didYouMean, nearest } from '../options/nearest.js';
import { computeOptions, networkOptions } from '../options/network-options.js';
import { findRootDir } from '../options/paths.js';
import { flag, integer, integersFrom, optionalText, type ValuesOf } from '../options/spec.js';
import type { CountProgress } from '../reporting/count-progress.js';
import type { ScreenStream } from '../reporting/progress.js';
import type { WriteRows } from '../reporting/row-output.js';
import { abbreviate, count } from '../wording.js';
import { standardVoices, type Voices } from './voices.js';

const output = 'Output';
const explanation = 'Explanation';

const options = {
  ...networkOptions,
  ...computeOptions,
  top_k: integer({
    group: output,
    help: 'The most likely classes to tell of each image',
    default: 1,
    ...integersFrom(1),
  }),
  json: flag({ group: output, help: 'A JSON object a line in place of CSV', default: false }),
  output: optionalText({ group: output, type: 'file', help: 'Where to write it; standard output unless told' }),
  explain: flag({
    group: explanation,
    help: 'Draw on each image what speaks for its class, by Grad-CAM',
    default: false,
  }),
  explain_dir: optionalText({
    group: explanation,
    type: 'folder',
    help: 'Where to put these pictures; outputs/explanations/<run> unless told, or beside the file of --output',
  }),
  class: optionalText({
    group: explanation,
    type: 'name',
    help: 'The class to explain, of all images; the most likely one of each unless told',
  }),
};

type Values = ValuesOf<typeof options>;

export const predictCommand: Command<typeof options> = {
  name: 'predict',
  summary: 'Tell what a trained network sees in images, and why',
  options,
  operands: '<file | folder | -> ...',
  run: (values, operands) =>
    runPrediction(values, operands, {
      stdin: () => process.stdin,
      stdout: process.stdout,
      stderr: process.stderr,
      tell: standardVoices.tell,
    }),
};

/** What the command reads and writes; tests put their own in. */
interface PredictParts extends Pick<Voices, 'tell'> {
  /** For the list of files that `-` stands for. */
  stdin: () => AsyncIterable<Buffer>;
  stdout: ScreenStream;
  /** For progress, where the rows do not show it. */
  stderr: ScreenStream;
}

/**
 * Classifies and writes. Returns 0 where any image could be read, 2 where none of them could. Throws a `UserError` for a
 * mistake in the options or operands, before anything is written, and where there are no images.
 */
export async function runPrediction(values: Values, operands: readonly string[], parts: PredictParts): Promise<number> {
  // Before anything else: the thread pool takes its size when it is first used.
  setDecodeThreads(values.workers);
  const [{ requireImagePaths }, { openNetwork }, { toFile, toStream }, { createCountProgress }] = await Promise.all([
    import('../inference/image-paths.js'),
    import('../inference/open-network.js'),
    import('../reporting/row-output.js'),
    import('../reporting/count-progress.js'),
  ]);
  requireExplanation(values);
  await requireImagePaths(operands);
  const network = await openNetwork(values);
  const { stdin, stdout, stderr } = parts;
  const showsRows = values.output === undefined && stdout.isTTY === true;
  const progress = showsRows ? undefined : createCountProgress(stderr, 'Predicting');
  const work = (write: WriteRows) => predict(network, values, { operands, stdin, write, progress });
  const counts = await (values.output === undefined
    ? toStream(stdout, work)
    : toFile(values.output, '--output', work)
  ).finally(() => progress?.close());
  parts.tell(summary(counts));
  return counts.read === 0 ? exitCode.userError : exitCode.ok;
}

function requireExplanation({ explain, explain_dir, class: wanted }: Values): void {
  const option = wanted === undefined ? '--explain_dir' : '--class';
  if (explain || (wanted === undefined && explain_dir === undefined)) return;
  throw new UserError(`${option} explains nothing by itself`, { mend: 'Give --explain, too' });
}

interface Counts {
  read: number;
  unreadable: number;
  /** Of those whose true class is known. */
  known: number;
  correct: number;
  seconds: number;
}

interface PredictPlan extends Pick<PredictParts, 'stdin'> {
  operands: readonly string[];
  write: WriteRows;
  progress: CountProgress | undefined;
}

async function predict(
  network: OpenedNetwork,
  values: Values,
  { operands, stdin, write, progress }: PredictPlan,
): Promise<Counts> {
  const [{ startClassifier }, { classifyPaths }, { imagePaths }, predictions, { mostLikely }] = await Promise.all([
    import('../inference/start-classifier.js'),
    import('../inference/classify-images.js'),
    import('../inference/image-paths.js'),
    import('../inference/predictions.js'),
    import('../inference/ranking.js'),
  ]);
  const { batch_size: batchSize, workers, top_k: topK, explain: explains } = values;
  const explained = values.class === undefined ? undefined : await findClass(network, values.class);
  const explainer = explains ? await openExplainer(network, values) : undefined;
  const explain = explains ? (probabilities: Float32Array) => explained ?? mostLikely(probabilities) : undefined;
  const format = values.json ? predictions.jsonPredictions(topK) : predictions.csvPredictions(topK, { explains });
  const predictionOf = predictions.createPredictor(network.classes, topK);
  const { classifier } = await startClassifier(network, values, { explains, batchSize });
  const counts = { read: 0, unreadable: 0, known: 0, correct: 0, seconds: 0 };
  const started = performance.now();
  try {
    const { preprocessing } = network;
    const plan = { preprocessing, batchSize, workers, explain };
    for await (const results of classifyPaths(classifier, imagePaths(operands, stdin), plan)) {
      const pictures = (await explainer?.draw(results)) ?? [];
      const told = results.map((result, index) => predictionOf(result, pictures[index]));
      await writeAllOf(told, format, { write, isFirst: counts.read + counts.unreadable === 0 });
      for (const prediction of told) add(counts, prediction);
      progress?.update(counts.read + counts.unreadable);
    }
  } finally {
    classifier.close();
  }
  counts.seconds = (performance.now() - started) / 1000;
  if (counts.read + counts.unreadable === 0) {
    throw new UserError('There are no images', {
      found: `none in ${operands.map(quoted).join(', ')}`,
      mend: 'Name images, or folders that hold some',
    });
  }
  return counts;
}

async function writeAllOf(
  predictions: readonly Prediction[],
  format: PredictionFormat,
  { write, isFirst }: { write: WriteRows; isFirst: boolean },
): Promise<void> {
  await write((isFirst ? format.heading : '') + predictions.map((prediction) => format.line(prediction)).join(''));
}

function add(counts: Counts, { error, isCorrect }: Prediction): void {
  if (error === undefined) counts.read += 1;
  else counts.unreadable += 1;
  if (isCorrect !== undefined) counts.known += 1;
  if (isCorrect) counts.correct += 1;
}

function summary({ read, unreadable, known, correct, seconds }: Counts): string {
  return [
    `${count(read, 'image', 'images')} in ${seconds.toFixed(1)} s`,
    ...(unreadable > 0 ? [`${unreadable} can't be read`] : []),
    ...(known > 0 ? [`${correct} of ${known} with a known class are right`] : []),
  ].join('; ');
}

async function findClass({ classes }: OpenedNetwork, name: string): Promise<number> {
  const { classIndices } = await import('../inference/class-names.js');
  const found = classIndices(classes).get(name);
  if (found !== undefined) return found;
  const suggestion = nearest(name, classes);
  throw new UserError('Bad value for class', {
    expected: `one of the network's classes: ${abbreviate(classes)}`,
    found: quoted(name),
    mend: suggestion && didYouMean(suggestion, 'Otherwise choose one of them'),
  });
}

async function openExplainer(network: OpenedNetwork, values: Values) {
  const { createExplainer } = await import('../inference/explainer.js');
  return createExplainer(explanationFolder(network, values), network.preprocessing);
}

function explanationFolder({ name }: OpenedNetwork, values: Values): string {
  if (values.explain_dir !== undefined) return values.explain_dir;
  if (values.output !== undefined) return `${values.output.replace(/\.[^./]*$/, '')}-explained`;
  return join(findRootDir(values.root_dir), 'outputs', 'explanations', name);
}
