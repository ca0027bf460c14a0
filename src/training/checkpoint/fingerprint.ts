// Tells whether a run goes on with the data that it began with: the same images in the same places of the split.

import { createHash } from 'node:crypto';
import type { Dataset } from '../../data/dataset.js';
import type { ImageList } from '../../data/image-list.js';
import { UserError } from '../../errors.js';

export interface DataFingerprint {
  train: number;
  validation: number;
  test: number;
  /** Of classes, names below the data folder, and labels; not of the images themselves. */
  sha256: string;
}

/** Contents are not read: a million names take about a second. */
export function fingerprintOf({ classes, train, validation, test }: Dataset, dataDir: string): DataFingerprint {
  const hash = createHash('sha256').update(JSON.stringify(classes));
  for (const list of [train, validation, test]) addNames(hash, list, dataDir);
  return { train: train.length, validation: validation.length, test: test?.length ?? 0, sha256: hash.digest('hex') };
}

const namesAtOnce = 4096;

function addNames(hash: ReturnType<typeof createHash>, list: ImageList | undefined, dataDir: string): void {
  hash.update(`\n${list?.length ?? 'none'}\n`);
  let lines: string[] = [];
  for (let index = 0; index < (list?.length ?? 0); index++) {
    const { path, label } = list?.at(index) ?? { path: '', label: 0 };
    lines.push(`${label}\0${path.slice(dataDir.length)}\n`);
    if (lines.length === namesAtOnce) {
      hash.update(lines.join(''));
      lines = [];
    }
  }
  hash.update(lines.join(''));
}

/** Throws a `UserError` where the data has changed since `then`. */
export function requireSameData(then: DataFingerprint, now: DataFingerprint): void {
  if (then.sha256 === now.sha256) return;
  throw new UserError('The data is not that of the run any more', {
    expected: imageCounts(then),
    found: imageCounts(then) === imageCounts(now) ? 'as many, but with other names or classes' : imageCounts(now),
    mend: 'Give --data_dir as it was, or start a new run under another --run_name, with the checkpoint as --weights',
  });
}

/** In words, for messages. */
export function imageCounts({ train, validation, test }: Omit<DataFingerprint, 'sha256'>): string {
  return `${train} training, ${validation} validation and ${test} test images`;
}
