// The images on which a network is evaluated: a part of a data folder, with labels that are the network's.

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { relabelled } from '../../data/dataset.js';
import { type ImageFolder, scanImageFolder } from '../../data/image-folder.js';
import { type ImageList, imageSubset } from '../../data/image-list.js';
import { splitTrainValidation } from '../../data/split.js';
import { defined } from '../../defined.js';
import { UserError } from '../../errors.js';
import { abbreviate, count } from '../../wording.js';
import { classIndices } from '../class-names.js';
import type { NetworkFile } from '../network-file.js';

/**
 * `test`: the folder `val`, which training leaves out and measures at its end. `val`: the images of the folder `train` that
 * training holds back to validate on. `train`: the rest of that folder.
 */
export type EvaluationSplit = 'test' | 'val' | 'train';

export interface EvaluationImages {
  images: ImageList;
  /** The names of the network's classes: those of the folders where its file has none. */
  classes: readonly string[];
  /** What the user should know though it stops nothing; one sentence each. */
  warnings: readonly string[];
}

/**
 * Lists the images. `valSplit`: the share of `train` that was held back.
 * @throws UserError where the folder is missing or has no images, or classes that the network does not know.
 */
export async function findEvaluationImages(
  network: Pick<NetworkFile, 'classes' | 'classNames'>,
  { dataDir, split, valSplit }: { dataDir: string; split: EvaluationSplit; valSplit: number },
): Promise<EvaluationImages> {
  const root = join(dataDir, split === 'test' ? 'val' : 'train');
  if ((await stat(root).catch(() => undefined))?.isDirectory() !== true) {
    const mend = split === 'test' ? 'Put the test images there, or evaluate another --split' : 'Check --data_dir';
    throw new UserError(`There is no folder ${root}`, { mend });
  }
  const folder = await scanImageFolder(root);
  const { classes, labels, warnings } = matchClasses(folder, network);
  const all = relabelled(folder.images, labels);
  const images = split === 'test' ? all : imageSubset(all, partOf(all.length, split, valSplit));
  if (images.length === 0) {
    throw new UserError(`There are no images for --split=${split} in ${root}`, {
      mend: 'Choose another --split or --data_dir',
    });
  }
  return { images, classes, warnings };
}

function partOf(length: number, split: 'val' | 'train', valSplit: number): Uint32Array {
  const { train, validation } = splitTrainValidation(length, valSplit);
  return split === 'val' ? validation : train;
}

/** `labels`: the network's class for each of the folder's. */
function matchClasses(
  { root, classes: folders, counts }: ImageFolder,
  { classes, classNames }: Pick<NetworkFile, 'classes' | 'classNames'>,
): Pick<EvaluationImages, 'classes' | 'warnings'> & { labels: readonly number[] } {
  // Training has numbered the classes in the order of their folders.
  const named = classNames === 'none' && folders.length === classes.length ? folders : classes;
  const indices = classIndices(named);
  const unknown = folders.filter((name) => !indices.has(name));
  if (unknown.length > 0) {
    throw new UserError(`${count(unknown.length, 'class', 'classes')} in ${root} not known to the network`, {
      expected: `some of its ${classes.length}: ${abbreviate(classes)}`,
      found: abbreviate(unknown),
      mend: 'Remove or rename these folders',
    });
  }
  const labels = folders.map((name) => defined(indices.get(name)));
  const present = new Set(labels.filter((_, index) => (counts[index] ?? 0) > 0));
  const missing = named.filter((_, index) => !present.has(index));
  const without = `${count(missing.length, 'class has', 'classes have')} no images in ${root}, so that nothing is known of:`;
  return { classes: named, labels, warnings: missing.length > 0 ? [`${without} ${abbreviate(missing)}.`] : [] };
}
