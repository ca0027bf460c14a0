// Whether a crash of the whole machine, which a kill is not, would leave whole files: from the calls of a run follows what was
// surely on the disk at each moment.

import { dirname } from 'node:path';

export interface Call {
  kind: string;
  to: string;
  /** The other name, of a rename or a link. */
  from: string;
}

/** What is wrong, in words: content that was renamed before it was on the disk, and names that no sync made lasting. */
export function orderMistakes(calls: readonly Call[]): string[] {
  const mistakes: string[] = [];
  /** Files with content that is not on the disk. */
  const unsynced = new Set<string>();
  /** Names that are not on the disk, by their folder. */
  const fleeting = new Map<string, Set<string>>();
  calls.forEach(({ kind, to, from }, index) => {
    if (kind === 'write') unsynced.add(to);
    if (kind === 'fsync') unsynced.delete(to);
    if (kind === 'folder-fsync') fleeting.delete(to);
    if (kind === 'link' && unsynced.has(from)) unsynced.add(to);
    if (kind !== 'rename') return;
    if (unsynced.has(from)) mistakes.push(`call ${index}: ${to} takes the place of another before it is on the disk`);
    const names = fleeting.get(dirname(to)) ?? new Set();
    if (names.has(to)) mistakes.push(`call ${index}: ${to} is replaced again before its name was on the disk`);
    fleeting.set(dirname(to), names.add(to));
  });
  for (const names of fleeting.values()) for (const name of names) mistakes.push(`${name} never gets to the disk`);
  return mistakes;
}
