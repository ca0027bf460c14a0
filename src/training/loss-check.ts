// What happens when a loss, or a gradient, is no finite number.

import { UserError } from '../errors.js';
import type { Report } from '../reporting/events.js';
import type { StepResult } from './steps.js';

export interface CheckedStep {
  /** Counts from 1, over all of the run. */
  step: number;
  /** Counts from 1. */
  epoch: number;
  /** The images of the batch; asked only when something is wrong. */
  files: () => readonly string[];
}

/** After so many steps left out in a row nothing can be hoped for. */
const maxSkippedInRow = 100;
/** The first scale of the loss, halved so often, is below 1: the gradients themselves are not finite. */
const maxOverflowsInRow = 16;
/** Steps left out that are told one by one. */
const maxTold = 10;

export class LossCheck {
  readonly #policy: 'error' | 'skip';
  readonly #report: Report;
  #hasFailed = false;
  #skipped = 0;
  #inRow = 0;
  #overflows = 0;

  constructor(policy: 'error' | 'skip', report: Report) {
    this.#policy = policy;
    this.#report = report;
  }

  /** Whether it has thrown: the network is not worth keeping. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /**
   * Whether the step counts. Throws a `UserError` that names step and images where it is not finite and none may be left
   * out, or where too many were.
   */
  accepts({ loss, applied, hasOverflowed = false }: StepResult, place: CheckedStep): boolean {
    // The scale of float16's loss finds its place in this way.
    if (hasOverflowed && this.#overflows < maxOverflowsInRow) {
      this.#overflows += 1;
      return false;
    }
    if (!hasOverflowed) this.#overflows = 0;
    if (applied && Number.isFinite(loss)) {
      this.#inRow = 0;
      return true;
    }
    const where = `step ${place.step} (epoch ${place.epoch})`;
    const what = Number.isFinite(loss) ? 'gradients that are no finite numbers' : `a loss of ${loss}`;
    if (this.#policy === 'error') {
      this.#hasFailed = true;
      throw new UserError(`Training broke down at ${where}`, {
        expected: 'a finite loss',
        found: `${what}, on ${abbreviated(place.files())}`,
        mend: 'Look at these images, lower --lr, or leave such steps out with --nan=skip. The last checkpoint is from before it: add --resume',
      });
    }
    this.#skipped += 1;
    this.#inRow += 1;
    if (this.#inRow > maxSkippedInRow) {
      this.#hasFailed = true;
      throw new UserError(`Training broke down: ${maxSkippedInRow} steps in a row were left out before ${where}`, {
        found: what,
        mend: 'Lower --lr',
      });
    }
    if (this.#skipped <= maxTold) {
      const last = this.#skipped === maxTold ? ' (further ones are not told)' : '';
      const message = `Left out ${where}: ${what}, on ${abbreviated(place.files())}${last}`;
      this.#report({ kind: 'warning', message });
    }
    return false;
  }
}

function abbreviated(files: readonly string[], shown = 8): string {
  const more = files.length - shown;
  return files.slice(0, shown).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
