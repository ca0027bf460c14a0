// What an image that can't be read does to a run.

import { inListOrder } from '../data/image-list.js';
import { type BadImage, createLoader, type LoaderOptions } from '../data/loader.js';
import { shownPath } from '../data/shown-path.js';
import { defaultWorkers } from '../data/threads.js';
import { UnreadableImageError } from '../data/unreadable-image.js';
import { UserError } from '../errors.js';
import type { Report } from '../reporting/events.js';

/** A file that is left out, and why. */
export interface LeftOut {
  path: string;
  reason: string;
}

export interface BadImagesSettings {
  /** `error` ends the run at the first; `skip` leaves them out as long as they are few. */
  policy: 'skip' | 'error';
  /** All images of the run, those that can't be read among them. */
  total: number;
  /** What an earlier part of the run left out: counted, but not told again. */
  known?: readonly LeftOut[];
  report: Report;
}

/** Keeps count of the images that can't be read. */
export interface BadImages {
  /**
   * Takes note of what a batch had to leave out, and tells of each file once.
   * @throws UnreadableImageError with the policy `error`, UserError when they are more than 1 % of all images.
   */
  note(bad: readonly BadImage[]): void;
  /** Every file that was left out so far, in the order they were met. */
  readonly list: readonly LeftOut[];
}

/** One image in so many may be left out. */
const oneIn = 100;

/** Of so many images, how many may be left out. */
export function mostLeftOut(total: number): number {
  return Math.floor(total / oneIn);
}

export function createBadImages({ policy, total, known = [], report }: BadImagesSettings): BadImages {
  const met = new Map(known.map(({ path, reason }) => [path, reason]));
  return {
    note: (bad) => {
      const before = met.size;
      for (const { path, reason } of bad) {
        if (policy === 'error') throw new UnreadableImageError(path, reason);
        if (met.has(path)) continue;
        met.set(path, reason);
        report({ kind: 'bad-image', path, reason });
      }
      if (met.size > before && met.size > mostLeftOut(total)) throw tooMany(met, total);
    },
    get list() {
      return Array.from(met, ([path, reason]) => ({ path, reason }));
    },
  };
}

function tooMany(met: ReadonlyMap<string, string>, total: number): UserError {
  const [path = '', reason] = [...met].at(-1) ?? [];
  return new UserError("Too many images can't be read", {
    expected: `at most ${mostLeftOut(total)} of ${total} (1 in ${oneIn})`,
    found: `${met.size} so far, the last of them ${shownPath(path)}: ${reason}`,
    mend: 'Replace or remove them: `deep-cnn data check DIR` lists them all',
  });
}

/**
 * Those of an earlier part's files that still can't be read: a run that goes on counts no others as known, since they may
 * have been replaced, or the disk they are on may be back.
 */
export async function stillUnreadable(
  known: readonly LeftOut[],
  { preprocessing, workers = defaultWorkers() }: Pick<LoaderOptions, 'preprocessing' | 'workers'>,
): Promise<LeftOut[]> {
  const images = { length: known.length, at: (index: number) => ({ path: known[index]?.path ?? '', label: 0 }) };
  const order = inListOrder(images.length);
  const found: LeftOut[] = [];
  for await (const { bad } of createLoader({ images, order, batchSize: 64, preprocessing, workers })) {
    found.push(...bad.map(({ path, reason }) => ({ path, reason })));
  }
  return found;
}
