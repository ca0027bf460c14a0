// How far a run has come, by its last checkpoint: for job scripts, and for who is about to use its name.

import { UserError } from '../../errors.js';
import { readSealedMetadata } from '../../weights/sealed-file.js';
import { readContents } from './contents.js';
import { CheckpointFolder, checkpointFolder } from './folder.js';

export interface RunProgress {
  /** Epochs that are over, and training steps since the first one's start. */
  epochs: number;
  steps: number;
  /** Whether no epoch is left to train. */
  isComplete: boolean;
}

/** Reads the checkpoint's beginning only, not its tensors. Undefined where there is none, or a damaged one. */
export async function readProgress(run: { root_dir: string; run_name: string }): Promise<RunProgress | undefined> {
  const { last } = new CheckpointFolder(checkpointFolder(run), 1);
  try {
    const { state } = readContents({ path: last, metadata: await readSealedMetadata(last) }, run.root_dir);
    const { epoch, counters, isComplete } = state;
    return { epochs: epoch, steps: counters.step + counters.skipped, isComplete };
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}
