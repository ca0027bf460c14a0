// The names of a network's classes where its file has none, and the classes that folders of images are named after.

import { readFileSync } from 'node:fs';
import { messageOf, UserError } from '../errors.js';
import { imagenetClasses } from './imagenet-classes.js';

/** Names of classes in a file, one a line; empty lines at the end do not count. */
export function readClassNames(path: string): readonly string[] {
  const lines = readText(path).trimEnd().split(/\r?\n/);
  const twice = lines.find((name, index) => lines.indexOf(name) !== index);
  if (lines.includes('') || twice !== undefined) {
    throw new UserError(`Bad names of classes in ${path}`, {
      expected: 'one a line, each another one',
      found: twice ? `${JSON.stringify(twice)} twice` : 'an empty line',
    });
  }
  return lines;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UserError(`The names of classes in ${path} can't be read`, { found: messageOf(error) }, { cause: error });
  }
}

/**
 * The index of each class by the names that a folder of its images may have: the class's own, and for the classes of
 * ImageNet their WordNet ids, too.
 */
export function classIndices(classes: readonly string[]): ReadonlyMap<string, number> {
  const isImagenet =
    classes.length === imagenetClasses.length && classes.every((name, index) => name === imagenetClasses[index]?.name);
  const ids = isImagenet ? imagenetClasses.map(({ wordnetId }, index) => [wordnetId, index] as const) : [];
  return new Map([...ids, ...classes.map((name, index) => [name, index] as const)]);
}
