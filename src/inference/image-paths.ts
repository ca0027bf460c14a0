// The image files that a user names: as they are, in folders, or in a list on standard input.

import { readdir, stat } from 'node:fs/promises';
import { identity, isImageName, kindOf } from '../data/image-folder.js';
import { shownPath } from '../data/shown-path.js';
import { compareCodePoints } from '../data/sorting.js';
import { messageOf, UserError } from '../errors.js';
import { hasCode } from '../system-error.js';

/** Stands for the list on standard input. */
const listOperand = '-';

/**
 * Refuses names that lead nowhere, before any work is done.
 * @throws UserError for the first of them.
 */
export async function requireImagePaths(named: readonly string[]): Promise<void> {
  if (named.length === 0) {
    throw new UserError('No images to look at', {
      expected: `files, folders, or ${listOperand} for a list of files on standard input`,
      found: 'nothing',
    });
  }
  if (named.filter((path) => path === listOperand).length > 1) {
    throw new UserError(`Standard input is read once, and ${listOperand} is given twice`, { mend: 'Leave one out' });
  }
  for (const path of named) {
    if (path === listOperand) continue;
    await stat(path).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) throw new UserError(`There is no file or folder ${shownPath(path)}`);
      throw new UserError(`Can't look at ${shownPath(path)}`, { found: messageOf(error) }, { cause: error });
    });
  }
}

/**
 * Yields the paths in the order in which they are named; in folders first the images of the folder itself and then those of
 * its folders, both in code-point order. Only the names of one folder after another are in memory. Of a folder that can't
 * be listed its own path is yielded, for whoever reads it to find out why.
 */
export async function* imagePaths(
  named: readonly string[],
  input: () => AsyncIterable<Buffer>,
): AsyncGenerator<string> {
  for (const path of named) {
    if (path === listOperand) yield* listedPaths(input());
    else if ((await stat(path).catch(() => undefined))?.isDirectory()) yield* walk(path.replace(/(?<=.)\/+$/, ''), []);
    else yield path;
  }
}

async function* walk(folder: string, ancestors: readonly string[]): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) {
    yield folder;
    return;
  }
  const folders: string[] = [];
  for (const entry of entries.sort((a, b) => compareCodePoints(a.name, b.name))) {
    const path = folder === '/' ? `/${entry.name}` : `${folder}/${entry.name}`;
    const kind = await kindOf(entry, path);
    if (kind === 'folder') folders.push(path);
    else if (kind === 'file' && isImageName(entry.name)) yield path;
  }
  if (folders.length === 0) return;
  // A link may lead back to a folder that it lies in.
  const lineage = [...ancestors, await identity(folder)];
  for (const path of folders) {
    if (!lineage.includes(await identity(path))) yield* walk(path, lineage);
  }
}

/** One a line, or with a zero byte after each, as `find -print0` writes them. */
async function* listedPaths(input: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let separator: number | undefined;
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of input) {
    separator ??= chunk.includes(0) ? 0 : 0x0a;
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf(separator); end >= 0; end = rest.indexOf(separator, start)) {
      if (end > start) yield rest.toString('utf8', start, end);
      start = end + 1;
    }
    rest = rest.subarray(start);
  }
  if (rest.length > 0) yield rest.toString('utf8');
}
