// The layout of the original program's data: data_dir/train/<class>/* is split into training and validation images,
// data_dir/val/<class>/* is held out for the test.

import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UserError } from '../errors.js';
import { abbreviate, count } from '../wording.js';
import { type ImageFolder, scanImageFolder } from './image-folder.js';
import { type ImageList, imageSubset } from './image-list.js';
import { splitTrainValidation, trainSize } from './split.js';

/** Images ready to train on. Labels are indices into `classes` in all three lists. */
export interface Dataset {
  classes: readonly string[];
  train: ImageList;
  validation: ImageList;
  /** The images of the `val` folder, held out for the test at the end; undefined if there is no such folder. */
  test: ImageList | undefined;
  /** What the user should know though it stops nothing; one sentence each. */
  warnings: readonly string[];
}

export interface DatasetOptions {
  /** Share of the training folder's images set aside for validation, 0 <= valSplit < 1. */
  valSplit: number;
}

/** The two folders of images as they are found, right or wrong. */
export interface DatasetFolders {
  train: ImageFolder;
  /** The `val` folder; undefined if there is none. */
  test: ImageFolder | undefined;
}

/**
 * Lists and splits the images below `dataDir`; decodes none. Throws a UserError that names the folder or class if
 * something needed is missing, empty or out of place.
 */
export async function openDataset(dataDir: string, options: DatasetOptions): Promise<Dataset> {
  return splitDataset(await scanDataset(dataDir), options);
}

/** Lists the images below `dataDir`. Throws a UserError where a folder is missing, is none, or can't be listed. */
export async function scanDataset(dataDir: string): Promise<DatasetFolders> {
  await requireFolder(dataDir, 'Check the path');
  const trainDir = join(dataDir, 'train');
  await requireFolder(trainDir, `Put the images into ${trainDir}/<class>/`);
  const train = await scanImageFolder(trainDir);
  const valDir = join(dataDir, 'val');
  if (!(await exists(valDir))) return { train, test: undefined };
  await requireFolder(valDir, 'Put the test images into <class> folders there, or remove it');
  return { train, test: await scanImageFolder(valDir) };
}

/**
 * Makes of the folders what a run trains on. Throws a UserError that names the folder or class if something needed is
 * missing, empty or out of place.
 */
function splitDataset(folders: DatasetFolders, options: DatasetOptions): Dataset {
  const [mistake] = datasetMistakes(folders, options);
  if (mistake !== undefined) throw mistake;
  const { train: folder, test } = folders;
  const { train, validation } = splitTrainValidation(folder.images.length, options.valSplit);
  const labels = labelsOf(folder);
  return {
    classes: folder.classes,
    train: imageSubset(folder.images, train),
    validation: imageSubset(folder.images, validation),
    test:
      test &&
      relabelled(
        test.images,
        test.classes.map((name) => labels.get(name) ?? 0),
      ),
    warnings: datasetWarnings(folders),
  };
}

/** Everything that keeps the folders from being trained on. */
export function datasetMistakes({ train, test }: DatasetFolders, { valSplit }: DatasetOptions): UserError[] {
  const ofTrain = classesMistake(train) ?? onlyClassMistake(train) ?? splitMistake(train, valSplit);
  const ofTest = test && [classesMistake(test), unknownClassesMistake(test, train)];
  return [ofTrain, ...(ofTest ?? [])].filter((mistake) => mistake !== undefined);
}

/** What the user should know of the folders though it stops nothing; one sentence each. */
export function datasetWarnings({ train, test }: DatasetFolders): string[] {
  const warnings = leftOutWarnings(train);
  if (test === undefined) {
    warnings.push(`There is no folder ${join(dirname(train.root), 'val')}: the test at the end is left out.`);
    return warnings;
  }
  const tested = labelsOf(test);
  const untested = train.classes.filter((name) => !tested.has(name));
  if (untested.length > 0) {
    const missing = count(untested.length, 'class is', 'classes are');
    warnings.push(`${missing} missing from ${test.root}, so the test says nothing of: ${abbreviate(untested)}.`);
  }
  return [...warnings, ...leftOutWarnings(test)];
}

function labelsOf({ classes }: ImageFolder): Map<string, number> {
  return new Map(classes.map((name, label) => [name, label]));
}

/** The same images with the label `labelOf[label]` in place of each label. */
export function relabelled(list: ImageList, labelOf: readonly number[]): ImageList {
  return {
    length: list.length,
    at(index) {
      const { path, label } = list.at(index);
      return { path, label: labelOf[label] ?? 0 };
    },
  };
}

function onlyClassMistake({ root, classes }: ImageFolder): UserError | undefined {
  if (classes.length > 1) return undefined;
  return new UserError(`Only one class in ${root}`, { expected: 'at least two class folders', found: classes.join() });
}

function classesMistake(folder: ImageFolder): UserError | undefined {
  const { root, classes, counts, images } = folder;
  if (classes.length === 0) {
    return new UserError(`No classes in ${root}`, { expected: 'a folder for each class', found: 'no folders' });
  }
  const empty = classes.filter((_, label) => counts[label] === 0);
  if (empty.length === 0) return undefined;
  const leftOut = leftOutWarnings(folder).join(' ').replace(/\.$/, '');
  const what =
    images.length === 0
      ? `No images in ${root}`
      : `No images in ${count(empty.length, 'class folder', 'class folders')} of ${root}`;
  return new UserError(what, {
    expected: 'JPEG, PNG, WebP, AVIF, TIFF or GIF files in every class folder',
    ...(images.length === 0 ? {} : { found: `none in ${abbreviate(empty)}` }),
    mend: leftOut || 'Add images or remove the empty folders',
  });
}

function splitMistake({ root, images }: ImageFolder, valSplit: number): UserError | undefined {
  const train = trainSize(images.length, valSplit);
  const validation = images.length - train;
  if (train > 0 && (validation > 0 || valSplit === 0)) return undefined;
  return new UserError(`Too few images in ${root} for --val_split=${valSplit}`, {
    expected: 'at least one image to train and one to validate on',
    found: `${train} and ${validation}`,
    mend: 'Add images or change --val_split (0 trains without validation)',
  });
}

function unknownClassesMistake(test: ImageFolder, train: ImageFolder): UserError | undefined {
  const known = labelsOf(train);
  const unknown = test.classes.filter((name) => !known.has(name));
  if (unknown.length === 0) return undefined;
  return new UserError(`${count(unknown.length, 'class', 'classes')} in ${test.root} not in ${train.root}`, {
    found: abbreviate(unknown),
    mend: 'Remove these folders or add training images of the same name',
  });
}

function leftOutWarnings({ root, leftOut }: ImageFolder): string[] {
  if (leftOut.size === 0) return [];
  const total = [...leftOut.values()].reduce((sum, files) => sum + files, 0);
  const kinds = [...leftOut].sort().map(([extension, files]) => `${files} .${extension}`);
  const files = count(total, 'image file', 'image files');
  return [`${files} in ${root} left out, of formats that can't be read (${kinds.join(', ')}): convert them to PNG.`];
}

async function requireFolder(path: string, mend: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => error);
  if (found instanceof Error) {
    if (found.code === 'ENOENT') throw new UserError(`There is no folder ${path}`, { mend }, { cause: found });
    throw new UserError(`The folder ${path} can't be opened`, { found: found.message, mend }, { cause: found });
  }
  if (!found.isDirectory()) throw new UserError(`${path} is no folder`, { found: 'a file', mend });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
}
