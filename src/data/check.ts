// A close look at a data set before a long run: every image is decoded as training does it, and compared with all others.

import { type DatasetFolders, datasetMistakes, datasetWarnings, scanDataset } from './dataset.js';
import { findDuplicates } from './duplicates.js';
import { type ImageList, inListOrder } from './image-list.js';
import { type BadImage, createLoader } from './loader.js';
import { fileSizes } from './many-files.js';
import type { Preprocessing } from './preprocessing.js';
import { findSmallImages } from './small-images.js';
import { sortByCodePoint } from './sorting.js';
import { splitTrainValidation } from './split.js';

export interface CheckOptions {
  /** Share of the train folder's images that a run sets aside for validation, 0 <= valSplit < 1. */
  valSplit: number;
  preprocessing: Preprocessing;
  /** Images decoded at the same time. */
  workers: number;
  /** Hears how many of all images have passed each phase. */
  onProgress?: (phase: CheckPhase, done: number, total: number) => void;
}

export type CheckPhase = 'decode' | 'size' | 'compare';

/** What a run does with an image: those of the train folder are for training or validation, those of val for the test. */
export type Part = 'train' | 'validation' | 'test';

/**
 * What is bad about equal files: they lie in `train` and `val`; in what a run trains and what it validates on; in two
 * classes; or, if none of these, they are mere copies.
 */
export type DuplicateKind = 'train-test' | 'train-validation' | 'classes' | 'copies';

export interface CheckedFile {
  path: string;
  class: string;
  part: Part;
}

/** Images of a class by what a run does with them. */
export interface ClassCount {
  name: string;
  train: number;
  validation: number;
  test: number;
}

export interface Findings {
  folders: DatasetFolders;
  images: number;
  /** Of decoding alone. */
  imagesPerSecond: number;
  seconds: number;
  /** In code-point order; of both folders. */
  classes: ClassCount[];
  unreadable: (CheckedFile & { reason: string })[];
  /** Each group is of files that are the same. */
  duplicates: { kinds: DuplicateKind[]; files: CheckedFile[] }[];
  small: (CheckedFile & { width: number; height: number })[];
  /** What keeps a run from starting, one sentence each. */
  mistakes: string[];
  /** What a run would say of the folders before it starts. */
  warnings: string[];
}

/** Images decoded in one go. */
const batchSize = 64;

/**
 * Looks at every image below `dataDir`. Throws a UserError where the folders can't be listed; everything else that is
 * wrong is among the findings.
 */
export async function checkDataset(dataDir: string, options: CheckOptions): Promise<Findings> {
  const startMs = performance.now();
  const { valSplit } = options;
  const folders = await scanDataset(dataDir);
  const images = joined(folders);
  const { fileOf, classes } = sorted(folders, valSplit);
  const tell = (phase: CheckPhase) => (done: number) => options.onProgress?.(phase, done, images.length);

  const decodeMs = performance.now();
  const unreadable = await decodeAll(images, options, tell('decode'));
  const decodeSeconds = (performance.now() - decodeMs) / 1000;

  const pathOf = (index: number) => images.at(index).path;
  const sizes = await fileSizes(images.length, pathOf, tell('size'));
  for (const { index } of unreadable) sizes[index] = 0;
  const small = await findSmallImages(sizes, pathOf);
  const groups = await findDuplicates({ sizes, pathOf, onProgress: tell('compare') });
  const duplicates = groups.map((group) => {
    const files = group.map(fileOf);
    return { kinds: kindsOf(files), files };
  });
  return {
    folders,
    images: images.length,
    imagesPerSecond: images.length / decodeSeconds,
    seconds: (performance.now() - startMs) / 1000,
    classes,
    unreadable: unreadable.map(({ index, reason }) => ({ ...fileOf(index), reason })),
    duplicates,
    small: small.map(({ index, width, height }) => ({ ...fileOf(index), width, height })),
    mistakes: datasetMistakes(folders, { valSplit }).map((mistake) => mistake.message),
    warnings: datasetWarnings(folders),
  };
}

/** The images of the train folder, and behind them those of val. */
function joined({ train: { images: first }, test }: DatasetFolders): ImageList {
  const second = test?.images ?? { length: 0, at: () => ({ path: '', label: 0 }) };
  return {
    length: first.length + second.length,
    at: (index) => (index < first.length ? first.at(index) : second.at(index - first.length)),
  };
}

async function decodeAll(
  images: ImageList,
  { preprocessing, workers }: CheckOptions,
  onProgress: (done: number) => void,
): Promise<BadImage[]> {
  const unreadable: BadImage[] = [];
  const order = inListOrder(images.length);
  let done = 0;
  for await (const { bad, size } of createLoader({ images, order, batchSize, preprocessing, workers })) {
    unreadable.push(...bad);
    done += size + bad.length;
    onProgress(done);
  }
  return unreadable;
}

/** Says of every image of {@link joined} where it belongs, and counts the classes. */
function sorted({ train, test }: DatasetFolders, valSplit: number) {
  const trained = train.images.length;
  const isValidation = new Uint8Array(trained);
  for (const index of splitTrainValidation(trained, valSplit).validation) isValidation[index] = 1;
  const fileOf = (index: number): CheckedFile => {
    const folder = index < trained ? train : test;
    const image = folder?.images.at(index < trained ? index : index - trained);
    if (folder === undefined || image === undefined) throw new Error(`internal: image ${index} of ${trained}`);
    const part = index >= trained ? 'test' : isValidation[index] ? 'validation' : 'train';
    return { path: image.path, class: folder.classes[image.label] ?? '', part };
  };

  const names = sortByCodePoint([...new Set([...train.classes, ...(test?.classes ?? [])])]);
  const counts = new Map(names.map((name) => [name, { name, train: 0, validation: 0, test: 0 }]));
  for (let index = 0; index < trained + (test?.images.length ?? 0); index++) {
    const file = fileOf(index);
    const count = counts.get(file.class);
    if (count !== undefined) count[file.part] += 1;
  }
  return { fileOf, classes: [...counts.values()] satisfies ClassCount[] };
}

function kindsOf(files: readonly CheckedFile[]): DuplicateKind[] {
  const has = (part: Part) => files.some((file) => file.part === part);
  const kinds: DuplicateKind[] = [];
  if (has('test') && (has('train') || has('validation'))) kinds.push('train-test');
  if (has('train') && has('validation')) kinds.push('train-validation');
  if (files.some((file) => file.class !== files[0]?.class)) kinds.push('classes');
  return kinds.length > 0 ? kinds : ['copies'];
}
