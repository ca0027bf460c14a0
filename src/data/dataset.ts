// The layout of the original program's data: data_dir/train/<class>/* is split into training and validation images,
// data_dir/val/<class>/* is held out for the test.

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../errors.js';
import { type ImageFolder, scanImageFolder } from './image-folder.js';
import { type ImageList, imageSubset } from './image-list.js';
import { splitTrainValidation } from './split.js';

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

/**
 * Lists and splits the images below `dataDir`; decodes none. Throws a UserError that names the folder or class if
 * something needed is missing, empty or out of place.
 */
export async function openDataset(dataDir: string, { valSplit }: DatasetOptions): Promise<Dataset> {
  await requireFolder(dataDir, 'Check the path given with --data_dir');
  const trainDir = join(dataDir, 'train');
  await requireFolder(trainDir, `Put the images into ${trainDir}/<class>/`);
  const folder = await scanImageFolder(trainDir);
  requireTrainable(folder);
  const { train, validation } = splitTrainValidation(folder.images.length, valSplit);
  requireBothParts(folder, valSplit, train.length, validation.length);
  const warnings = leftOutWarnings(folder);
  const test = await openTestFolder(join(dataDir, 'val'), folder, warnings);
  return {
    classes: folder.classes,
    train: imageSubset(folder.images, train),
    validation: imageSubset(folder.images, validation),
    test,
    warnings,
  };
}

async function openTestFolder(valDir: string, train: ImageFolder, warnings: string[]): Promise<ImageList | undefined> {
  if (!(await exists(valDir))) {
    warnings.push(`There is no folder ${valDir}: the test at the end is left out.`);
    return undefined;
  }
  await requireFolder(valDir, 'Put the test images into <class> folders there, or remove it');
  const folder = await scanImageFolder(valDir);
  requireClassesAndImages(folder);
  const labels = new Map(train.classes.map((name, label) => [name, label]));
  const unknown = folder.classes.filter((name) => !labels.has(name));
  if (unknown.length > 0) {
    throw new UserError(`${count(unknown.length, 'class', 'classes')} in ${valDir} not in ${train.root}`, {
      found: abbreviate(unknown),
      mend: 'Remove these folders or add training images of the same name',
    });
  }
  const tested = new Set(folder.classes);
  const untested = train.classes.filter((name) => !tested.has(name));
  if (untested.length > 0) {
    const missing = count(untested.length, 'class is', 'classes are');
    warnings.push(`${missing} missing from ${valDir}, so the test says nothing of: ${abbreviate(untested)}.`);
  }
  warnings.push(...leftOutWarnings(folder));
  const labelOf = folder.classes.map((name) => labels.get(name) ?? 0);
  return relabelled(folder.images, labelOf);
}

/** The same images with the label `labelOf[label]` in place of each label. */
function relabelled(list: ImageList, labelOf: readonly number[]): ImageList {
  return {
    length: list.length,
    at(index) {
      const { path, label } = list.at(index);
      return { path, label: labelOf[label] ?? 0 };
    },
  };
}

function requireTrainable(folder: ImageFolder): void {
  requireClassesAndImages(folder);
  if (folder.classes.length === 1) {
    throw new UserError(`Only one class in ${folder.root}`, {
      expected: 'at least two class folders',
      found: folder.classes.join(),
    });
  }
}

function requireClassesAndImages(folder: ImageFolder): void {
  const { root, classes, counts, images } = folder;
  if (classes.length === 0) {
    throw new UserError(`No classes in ${root}`, { expected: 'a folder for each class', found: 'no folders' });
  }
  const empty = classes.filter((_, label) => counts[label] === 0);
  if (empty.length === 0) return;
  const leftOut = leftOutWarnings(folder).join(' ').replace(/\.$/, '');
  const what =
    images.length === 0
      ? `No images in ${root}`
      : `No images in ${count(empty.length, 'class folder', 'class folders')} of ${root}`;
  throw new UserError(what, {
    expected: 'JPEG, PNG, WebP, AVIF, TIFF or GIF files in every class folder',
    ...(images.length === 0 ? {} : { found: `none in ${abbreviate(empty)}` }),
    mend: leftOut || 'Add images or remove the empty folders',
  });
}

function requireBothParts(folder: ImageFolder, valSplit: number, train: number, validation: number): void {
  if (train > 0 && (validation > 0 || valSplit === 0)) return;
  throw new UserError(`Too few images in ${folder.root} for --val_split=${valSplit}`, {
    expected: 'at least one image to train and one to validate on',
    found: `${train} and ${validation}`,
    mend: 'Add images or change --val_split (0 trains without validation)',
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

function count(amount: number, singular: string, plural: string): string {
  return `${amount} ${amount === 1 ? singular : plural}`;
}

/** The first few names of a list that may be long. */
function abbreviate(names: readonly string[], shown = 5): string {
  const more = names.length - shown;
  return more > 0 ? `${names.slice(0, shown).join(', ')} and ${more} more` : names.join(', ');
}
