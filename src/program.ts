// Which program this is: for the record of a run, and for whoever repeats it.

import { execFileSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { version } from './version.js';

export interface ProgramFacts {
  version: string;
  /** The commit that is checked out where the program is a clone; undefined where it is an installed package. */
  commit: string | undefined;
  /** Whether files that git tracks differ from that commit. */
  isChanged: boolean;
  /** Of Node.js. */
  node: string;
  /** As in `linux-x64`. */
  platform: string;
}

/** Takes some 20 ms, for git. */
export function programFacts(): ProgramFacts {
  const folder = dirname(dirname(fileURLToPath(import.meta.url)));
  // A package within somebody's repository, of which it has a prefix, is not that repository.
  const [prefix, head] = git(folder, 'rev-parse', '--show-prefix', 'HEAD')?.split('\n') ?? [];
  const isClone = prefix === '';
  return {
    version,
    commit: isClone ? head : undefined,
    isChanged: isClone && git(folder, 'status', '--porcelain', '--untracked-files=no') !== '',
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
  };
}

/** What git prints, without its last line feed; undefined where it fails, or is not there. */
function git(folder: string, ...args: readonly string[]): string | undefined {
  try {
    return execFileSync('git', args, {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 5000,
    }).replace(/\n$/, '');
  } catch {
    return undefined;
  }
}
