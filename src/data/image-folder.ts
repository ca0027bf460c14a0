// Lists a folder of images by class as torchvision's ImageFolder does, in the same order, so that the same seed picks
// the same images: https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.ImageFolder.html

import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, UserError } from '../errors.js';
import { groupedImages, type ImageGroup, type ImageList } from './image-list.js';
import { shownPath } from './shown-path.js';
import { compareCodePoints, sortByCodePoint } from './sorting.js';

/** Image files that are read, by extension (upper case counts as well). */
export const readableExtensions = ['jpg', 'jpeg', 'png', 'webp', 'tif', 'tiff', 'gif', 'avif'] as const;

/** Image files that can't be read: they are left out, but counted. */
const unreadableExtensions = ['bmp', 'ppm', 'pgm', 'pbm', 'pnm', 'heic', 'heif', 'jp2', 'jxl'];

const readable: ReadonlySet<string> = new Set(readableExtensions);
const unreadable: ReadonlySet<string> = new Set(unreadableExtensions);

/** Enough to hide the latency of a network file system, few enough for the memory of a million names. */
const foldersAtOnce = 16;

/** A folder of class folders. */
export interface ImageFolder {
  root: string;
  /** Names of the class folders in code-point order; a class's index is its label. */
  classes: readonly string[];
  /** Class after class; within one by folder and name, in code-point order, nested folders included. */
  images: ImageList;
  /** How many images each class has. */
  counts: readonly number[];
  /** Image files left out because their format can't be read: how many of each extension. */
  leftOut: ReadonlyMap<string, number>;
}

/**
 * Lists the images below `root`. Links are followed, except where they lead back to a folder they lie in.
 * Throws a UserError if `root` is missing, is no folder or can't be listed, or if a folder below it can't.
 */
export async function scanImageFolder(root: string): Promise<ImageFolder> {
  const classes = sortByCodePoint(await classNames(root));
  const leftOut = new Map<string, number>();
  const groups: ImageGroup[][] = classes.map(() => []);
  let next = 0;
  const scanClasses = async () => {
    while (next < classes.length) {
      const label = next++;
      const folder = join(root, classes[label] ?? '');
      groups[label] = await scanClass(folder, label, leftOut);
    }
  };
  await Promise.all(Array.from({ length: foldersAtOnce }, scanClasses));
  return {
    root,
    classes,
    images: groupedImages(groups.flat()),
    counts: groups.map((ofClass) => ofClass.reduce((sum, group) => sum + group.names.length, 0)),
    leftOut,
  };
}

async function classNames(root: string): Promise<string[]> {
  const names: string[] = [];
  for (const entry of await list(root)) {
    if ((await kindOf(entry, join(root, entry.name))) === 'folder') names.push(entry.name);
  }
  return names;
}

/** Walks one class folder. All its files come before any of a folder whose path sorts after its own. */
async function scanClass(classFolder: string, label: number, leftOut: Map<string, number>): Promise<ImageGroup[]> {
  const groups: ImageGroup[] = [];
  const walk = async (folder: string, ancestors: readonly string[]) => {
    const names: string[] = [];
    const nested: string[] = [];
    for (const entry of await list(folder)) {
      const path = `${folder}/${entry.name}`;
      const kind = await kindOf(entry, path);
      if (kind === 'folder') nested.push(path);
      if (kind !== 'file') continue;
      const extension = extensionOf(entry.name);
      if (readable.has(extension)) names.push(entry.name);
      else if (unreadable.has(extension)) leftOut.set(extension, (leftOut.get(extension) ?? 0) + 1);
    }
    groups.push({ folder, label, names: sortByCodePoint(names) });
    if (nested.length === 0) return;
    const lineage = [...ancestors, await identity(folder)];
    for (const path of nested) {
      if (!lineage.includes(await identity(path))) await walk(path, lineage);
    }
  };
  await walk(classFolder, []);
  return groups.sort((a, b) => compareCodePoints(a.folder, b.folder));
}

/** Whether the name is that of an image file, of a format that can be read or not. */
export function isImageName(name: string): boolean {
  const extension = extensionOf(name);
  return readable.has(extension) || unreadable.has(extension);
}

/** What stands behind the last dot, in lower case. Unlike Node's extname it sees one in `.jpg`, as torchvision does. */
function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot < 0 ? '' : name.slice(dot + 1).toLowerCase();
}

async function list(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    throw cannotList(folder, error);
  }
}

/** What an entry is, following links. A link to nowhere counts as a file, so that opening it tells the user. */
export async function kindOf(entry: Dirent, path: string): Promise<'folder' | 'file' | 'other'> {
  let found: { isDirectory(): boolean; isFile(): boolean } = entry;
  if (entry.isSymbolicLink()) {
    try {
      found = await stat(path);
    } catch {
      return 'file';
    }
  }
  if (found.isDirectory()) return 'folder';
  return found.isFile() ? 'file' : 'other';
}

/** The same for every way that leads to a folder. */
export async function identity(folder: string): Promise<string> {
  const { dev, ino } = await stat(folder, { bigint: true });
  return `${dev}:${ino}`;
}

function cannotList(folder: string, error: unknown): UserError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const cause = { cause: error };
  const shown = shownPath(folder);
  if (code === 'ENOENT' && folder.includes('\ufffd')) {
    return new UserError(
      `The folder ${shown} can't be listed`,
      { found: 'a name that is not UTF-8', mend: 'Rename it' },
      cause,
    );
  }
  if (code === 'ENOENT') {
    return new UserError(`There is no folder ${shown}`, { mend: 'Check the path given with --data_dir' }, cause);
  }
  if (code === 'ENOTDIR') {
    return new UserError(`${shown} is no folder`, { expected: 'a folder of images by class', found: 'a file' }, cause);
  }
  const reason = code === 'EACCES' ? 'no permission to read it' : shownPath(messageOf(error));
  return new UserError(`The folder ${shown} can't be listed`, { found: reason, mend: 'Check its permissions' }, cause);
}
