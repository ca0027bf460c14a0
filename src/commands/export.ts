// `deep-cnn export`: writes a trained network in a format that other programs read.

import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { exitCode, UserError } from '../errors.js';
import type { Command } from '../options/command.js';
import { networkOptions } from '../options/network-options.js';
import { findRootDir, projectRoot } from '../options/paths.js';
import { choice, flag, optionalText, type ValuesOf } from '../options/spec.js';
import type { RunDescription } from '../reporting/run-description.js';
import { formatBytes } from '../wording.js';
import { standardVoices, type Voices } from './voices.js';

const options = {
  ...networkOptions,
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
  run: (values) => runExport(values, standardVoices),
};

/** Exports, and tells where to. Throws a `UserError` for a mistake in the options, before anything is written. */
export async function runExport(values: Values, { print }: Pick<Voices, 'print'>): Promise<number> {
  const { format, input, quantize } = values;
  const rootDir = findRootDir(values.root_dir);
  const [{ exportNetwork, requireOptions }, { openNetwork }] = await Promise.all([
    import('../export/export-run.js'),
    import('../inference/open-network.js'),
  ]);
  requireOptions({ format, input, quantize });
  const network = await openNetwork(values);
  const { path, name, run } = network;
  const output = resolve(values.output ?? join(rootDir, 'outputs', 'export', name, format));
  const images = values.verify ? await findImages(values, run) : [];
  const [{ openRuntime }, { folderBytes }] = await Promise.all([
    import('../tensorflow/runtime.js'),
    import('../tensorflow/sizes.js'),
  ]);
  const runtime = await openRuntime('cpu');
  const { verified } = await exportNetwork({
    ...{ network, run, format, input, quantize, output, images, runtime },
  });
  print(`${path}\n  is in ${output}, ${formatBytes(folderBytes(output))}\n${verified}\n`);
  return exitCode.ok;
}

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
