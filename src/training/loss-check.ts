// What happens when a loss, or a gradient, is no finite number.

import { UserError } from '../errors.js';
import type { Report } from '../reporting/events.js';
import { abbreviate } from '../wording.js';
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
/**
 * Below it, float16's gradients overflow where the loss is not even made larger, and small ones vanish. (PyTorch's
 * GradScaler goes on halving.)
 */
const leastLossScale = 1;
/** Steps left out that are told one by one. */
const maxTold = 10;
const shownFiles = 8;

export class LossCheck {
  readonly #policy: 'error' | 'skip';
  readonly #report: Report;
  #hasFailed = false;
  #skipped = 0;
  #inRow = 0;

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
  accepts({ loss, applied, lossScale }: StepResult, place: CheckedStep): boolean {
    const isLossFinite = Number.isFinite(loss);
    if (applied && isLossFinite) {
      this.#inRow = 0;
      return true;
    }
    const where = `step ${place.step} (epoch ${place.epoch})`;
    if (lossScale !== undefined && (isLossFinite || this.#policy === 'skip') && lossScale < leastLossScale) {
      this.#hasFailed = true;
      throw new UserError(`Float16 can't hold this run's gradients any more, since ${where}`, {
        expected: `a loss scale of ${leastLossScale} or more`,
        found: `${lossScale}, halved with each step that was left out, the last one on ${abbreviate(place.files(), shownFiles)}`,
        mend: 'Lower --lr and go on from the last checkpoint with --resume, or begin anew with --precision=bf16 or fp32',
      });
    }
    // The scale of float16's loss finds its place in this way.
    if (lossScale !== undefined && isLossFinite) return false;
    const what = isLossFinite ? 'gradients that are no finite numbers' : `a loss of ${loss}`;
    if (this.#policy === 'error') {
      this.#hasFailed = true;
      throw new UserError(`Training broke down at ${where}`, {
        expected: 'a finite loss',
        found: `${what}, on ${abbreviate(place.files(), shownFiles)}`,
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
      const message = `Left out ${where}: ${what}, on ${abbreviate(place.files(), shownFiles)}${last}`;
      this.#report({ kind: 'warning', message });
    }
    return false;
  }
}
