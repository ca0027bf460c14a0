// `deep-cnn export`: writes a trained network in a format that other programs read.

import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { exitCode, UserError } from '../errors.js';
import { findFile, findRootDir, projectRoot } from '../options/paths.js';
import { isPlainFileName } from '../options/run-name.js';
import { choice, flag, optionalText, type ValuesOf } from '../options/spec.js';
import { trainOptions } from '../options.js';
import type { RunDescription } from '../reporting/run-description.js';
import type { Command } from './command.js';

const options = {
  run: optionalText({
    group: 'Network',
    type: 'name',
    help: 'The run whose network to export',
    expected: trainOptions.run_name.expected,
    isValid: isPlainFileName,
  }),
  best: flag({
    group: 'Network',
    help: 'Of that run the network with the lowest validation loss, rather than the last one',
    default: false,
  }),
  weights: optionalText({ group: 'Network', type: 'file', help: 'A file of weights, in place of a run' }),
  model: optionalText({
    group: 'Network',
    type: 'name',
    help: 'The network in that file, where the file does not say so',
  }),
  root_dir: trainOptions.root_dir,
  format: choice({
    group: 'Export',
    help: 'What to write',
    choices: ['tfjs', 'savedmodel', 'onnx', 'safetensors'],
    default: 'savedmodel',
  }),
  output: optionalText({
    group: 'Export',
    type: 'folder',
    help: 'Where to write it; outputs/export/<run>/<format> unless told. An earlier export there is replaced',
  }),
  input: choice({
    group: 'Export',
    help: 'What goes in: pixel values of 0 to 255, or numbers that have been normalised',
    choices: ['bytes', 'floats'],
    default: 'bytes',
  }),
  quantize: choice({
    group: 'Export',
    help: 'Weights in half the bytes, or in a quarter (tfjs only)',
    choices: ['none', 'float16', 'uint8'],
    default: 'none',
  }),
  verify: flag({
    group: 'Check',
    help: 'Run what was written on images, and insist that it agrees with the network',
    default: true,
  }),
  images: optionalText({
    group: 'Check',
    type: 'folder',
    help: "Images to do that on; the run's own, or those that come with the project, unless told",
  }),
};

type Values = ValuesOf<typeof options>;

export const exportCommand: Command<typeof options> = {
  name: 'export',
  summary: 'Write a trained network for TensorFlow.js, TensorFlow, ONNX or PyTorch',
  options,
  run: (values) => runExport(values, (text) => process.stdout.write(text)),
};

/** Exports, and tells where to. Throws a `UserError` for a mistake in the options, before anything is written. */
export async function runExport(values: Values, print: (text: string) => void): Promise<number> {
  const { format, input, quantize } = values;
  const rootDir = findRootDir(values.root_dir);
  const [{ exportNetwork, requireOptions }, { openNetwork }] = await Promise.all([
    import('../export/export-run.js'),
    import('../export/open-network.js'),
  ]);
  requireOptions({ format, input, quantize });
  const source = await findSource(values, rootDir);
  const network = await openNetwork(source.path, values.model);
  const output = resolve(values.output ?? join(rootDir, 'outputs', 'export', source.name, format));
  const images = values.verify ? await findImages(values, source.run) : [];
  const [{ openRuntime }, { folderBytes, formatBytes }] = await Promise.all([
    import('../tensorflow/runtime.js'),
    import('../tensorflow/sizes.js'),
  ]);
  const runtime = await openRuntime('cpu');
  const { verified } = await exportNetwork({
    ...{ network, run: source.run, format, input, quantize, output, images, runtime },
  });
  print(`${source.path}\n  is in ${output}, ${formatBytes(folderBytes(output))}\n${verified}\n`);
  return exitCode.ok;
}

interface Source {
  path: string;
  /** For the folder of exports. */
  name: string;
  run: RunDescription | undefined;
}

async function findSource({ run, best, weights, model }: Values, rootDir: string): Promise<Source> {
  if ((run === undefined) === (weights === undefined)) {
    throw new UserError('Bad use of deep-cnn export', {
      expected: '--run=NAME or --weights=FILE',
      found: run === undefined ? 'neither' : 'both',
    });
  }
  if (weights !== undefined) {
    if (best) throw new UserError('--best has no run to choose from', { mend: 'Name the run with --run' });
    const path = findFile('weights', weights);
    return { path, name: model ?? nameOf(path), run: undefined };
  }
  if (model !== undefined) {
    throw new UserError('--model is for --weights', { mend: "Leave it out: a run's network says which one it is" });
  }
  const [{ findRunDescription }, { bestModelFile, modelFile }] = await Promise.all([
    import('../reporting/run-description.js'),
    import('../reporting/run-files.js'),
  ]);
  const place = { root_dir: rootDir, run_name: run ?? '' };
  const path = best ? bestModelFile(place) : modelFile(place);
  if ((await stat(path).catch(() => undefined)) === undefined) {
    throw new UserError(`The run ${place.run_name} has left no network`, {
      expected: `a file ${path}`,
      mend: 'Name a run that has finished an epoch, and with --root_dir the folder that holds its outputs',
    });
  }
  return { path, name: best ? `${place.run_name}.best` : place.run_name, run: orNone(() => findRunDescription(place)) };
}

/** A description is welcome, and not needed. */
function orNone<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

const nameOf = (path: string) => path.replace(/^.*\//, '').replace(/\.(safetensors|pth|pt)$/, '') || 'network';

const mostImages = 32;

/** Images for the comparison, from different classes: those given, the run's held-out ones, or the project's own. */
async function findImages({ images }: Values, run: RunDescription | undefined): Promise<string[]> {
  const { scanImageFolder } = await import('../data/image-folder.js');
  const data = run?.options['data_dir'];
  const places =
    images === undefined
      ? [
          ...(typeof data === 'string' ? [join(data, 'val'), join(data, 'train')] : []),
          join(projectRoot(), 'tests', 'places_test_input', 'val'),
        ]
      : [resolve(images)];
  for (const place of places) {
    const isThere = (await stat(place).catch(() => undefined))?.isDirectory() === true;
    if (!isThere && images === undefined) continue;
    const folder = await scanImageFolder(place);
    const found = [
      ...(await loose(place)),
      ...spread(folder.images.length).map((index) => folder.images.at(index).path),
    ];
    if (found.length > 0) return found.slice(0, mostImages);
  }
  throw new UserError('There are no images to compare the export with its network on', {
    expected: `some in ${places.join(' or ')}`,
    mend: 'Name a folder with --images, or leave the comparison out with --verify=False',
  });
}

/** Evenly spread indices of a list. */
function spread(length: number): number[] {
  const count = Math.min(length, mostImages);
  return Array.from({ length: count }, (_, index) => Math.floor((index * length) / count));
}

/** Images that lie in the folder itself. */
async function loose(folder: string): Promise<string[]> {
  const { readableExtensions } = await import('../data/image-folder.js');
  const isImage = (name: string) =>
    readableExtensions.some((extension) => name.toLowerCase().endsWith(`.${extension}`));
  return (await readdir(folder))
    .filter(isImage)
    .sort()
    .map((name) => join(folder, name));
}
