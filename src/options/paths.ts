// Where the folders and files that options name lie. Nothing is created here.
import { type Stats, statSync } from 'node:fs';
import { dirname, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from '../errors.js';
import { quoted } from './given.js';

/** The package's own folder; the current one when the package is a dependency in some node_modules. */
export function projectRoot(): string {
  return projectRootOf(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), process.cwd());
}

/** {@link projectRoot} for a package and a current folder. */
export function projectRootOf(packageDir: string, currentDir: string): string {
  return packageDir.split(sep).includes('node_modules') ? currentDir : packageDir;
}

/**
 * The absolute `root_dir`; it may be missing, and comes to be with the outputs.
 * @throws UserError when it is a file.
 */
export function findRootDir(given: string): string {
  refuseAddress('root_dir', given, 'a folder');
  const path = resolve(given);
  if (statusOf(path)?.isDirectory() === false) {
    throw new UserError('Bad value for root_dir', { expected: 'a folder', found: `the file ${quoted(path)}` });
  }
  return path;
}

/**
 * The absolute folder of the data: a relative one is sought in the root folder and then in the current one.
 * @throws UserError when there is none.
 */
export function findDataDir(given: string, rootDir: string): string {
  refuseAddress('data_dir', given, 'a folder with train/ and val/');
  const candidates = [...new Set([resolve(rootDir, given), resolve(given)])];
  const found = candidates.find((path) => statusOf(path)?.isDirectory());
  if (found !== undefined) return found;
  const file = candidates.find((path) => statusOf(path) !== undefined);
  throw new UserError('Cannot find the data', {
    expected: `a folder ${candidates.map(quoted).join(' or ')}`,
    found: file === undefined ? 'none' : `the file ${quoted(file)}`,
    mend: 'Name the folder that holds train/ and val/ with --data_dir',
  });
}

/**
 * The absolute path of an option's file, sought from the current folder.
 * @throws UserError when there is none.
 */
export function findFile(option: string, given: string): string {
  refuseAddress(option, given, 'a file');
  const path = resolve(given);
  const status = statusOf(path);
  if (status?.isFile()) return path;
  throw new UserError(`Bad value for ${option}`, {
    expected: `a file ${quoted(path)}`,
    found: status === undefined ? 'none' : 'a folder',
  });
}

/** An address would be taken for the path of a folder `https:`. */
function refuseAddress(option: string, given: string, expected: string): void {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(given)) return;
  throw new UserError(`Bad value for ${option}`, { expected: `${expected} on this machine`, found: quoted(given) });
}

function statusOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    // Missing, or beyond what may be read: not there for our purpose.
    return undefined;
  }
}
