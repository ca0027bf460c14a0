// What no single option can know: contradictions, and where folders and files lie.

import { UserError } from '../errors.js';
import type { TrainConfig } from '../options.js';
import { isHubAddress, readHubAddress } from '../weights/hub-address.js';
import { findDataDir, findFile, findRootDir } from './paths.js';

/**
 * Checks what no single option can know, and resolves the paths. A run that takes its weights from a checkpoint does not
 * need the file of `weights` any more.
 * @throws UserError for options that contradict each other, or folders and files that don't exist.
 */
export function completeConfig(values: TrainConfig, { needsWeights = true } = {}): TrainConfig {
  if (values.warmup >= values.epochs) {
    throw new UserError('Bad value for warmup', {
      expected: `fewer warm-up epochs than the ${values.epochs} of --epochs`,
      found: String(values.warmup),
    });
  }
  if ((values.cache === 'ram' || values.cache === 'disk') && values.augment !== 'none') {
    throw new UserError(`--cache=${values.cache} and --augment=${values.augment} exclude each other`, {
      found: 'images that are cut out of their files in another way in each epoch',
      mend: 'Leave one of them out',
    });
  }
  if (values.unfreeze_epoch > 0) requireLaterUnfreezing(values);
  if (values.early_stopping > 0 && values.val_split === 0) {
    throw new UserError('--early_stopping has no validation loss to watch', {
      mend: 'Hold images back with --val_split, or leave --early_stopping out',
    });
  }
  const rootDir = findRootDir(values.root_dir);
  return Object.freeze({
    ...values,
    root_dir: rootDir,
    data_dir: findDataDir(values.data_dir, rootDir),
    weights: needsWeights && values.weights ? findWeightsFile(values.weights) : values.weights,
  });
}

/** A file's absolute path; an address on the hub as it is, once it has proved to be one. */
function findWeightsFile(given: string): string {
  if (!isHubAddress(given)) return findFile('weights', given);
  readHubAddress(given);
  return given;
}

function requireLaterUnfreezing({ freeze, unfreeze_epoch: epoch, epochs }: TrainConfig): void {
  if (freeze === 'none') {
    throw new UserError('--unfreeze_epoch has nothing to open', { mend: 'Freeze something with --freeze' });
  }
  if (epoch > epochs) {
    throw new UserError('Bad value for unfreeze_epoch', {
      expected: `at most the ${epochs} of --epochs`,
      found: String(epoch),
    });
  }
}
