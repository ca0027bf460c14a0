// Which checkpoint `--resume` means.

import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { UserError } from '../../errors.js';
import { openSealed, readSealedMetadata } from '../../weights/sealed-file.js';
import { type Checkpoint, readContents } from './contents.js';
import { CheckpointFolder, checkpointFolder } from './folder.js';

export interface ResumeOptions {
  /** `last`, `auto`, or the path of a checkpoint or of a folder of them. */
  resume: string;
  /** Absolute. */
  root_dir: string;
  run_name: string;
}

export interface FoundCheckpoint {
  checkpoint: Checkpoint;
  /** Newer ones that were passed over, and why. */
  damaged: readonly { path: string; reason: string }[];
}

/**
 * Finds the checkpoint to go on with and checks its seal; where a newer one is damaged, the one before it is taken.
 * Undefined for `auto` where there is none. Throws a `UserError` where there is none or none is whole.
 */
export async function findCheckpoint(options: ResumeOptions): Promise<FoundCheckpoint | undefined> {
  const { resume, root_dir: root } = options;
  const isNamed = resume !== 'last' && resume !== 'auto';
  const path = isNamed ? resolve(resume) : checkpointFolder(options);
  const kind = await stat(path).catch(() => undefined);
  if (isNamed && kind?.isFile()) {
    return { checkpoint: readContents(await openSealed(path), root), damaged: [] };
  }
  const candidates = kind ? await new CheckpointFolder(path, 1).newestFirst() : [];
  if (candidates.length === 0) {
    if (resume === 'auto') return undefined;
    throw new UserError(isNamed ? 'Bad value for resume' : `The run ${options.run_name} has no checkpoint`, {
      expected: isNamed ? 'a checkpoint or a folder of checkpoints' : `one in ${path}`,
      found: isNamed && !kind ? `nothing at ${path}` : 'none',
      mend: isNamed ? 'Check the path' : 'Check --run_name and --root_dir, or start the run with --resume=auto',
    });
  }
  return firstWhole(candidates, root);
}

async function firstWhole(candidates: readonly string[], root: string): Promise<FoundCheckpoint> {
  const damaged: { path: string; reason: string }[] = [];
  for (const path of candidates) {
    try {
      return { checkpoint: readContents(await openSealed(path), root), damaged };
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      damaged.push({ path, reason: error.parts.found ?? error.message });
    }
  }
  throw new UserError('No checkpoint of this run is whole', {
    found: damaged.map(({ path, reason }) => `${path}: ${reason}`).join('; '),
    mend: 'Start anew with another --run_name; outputs/models holds the model of the last finished epoch',
  });
}

/** A run's last checkpoint by its beginning alone: its tensors may be damaged. Undefined where none can be read. */
export async function peekAtLast(run: { root_dir: string; run_name: string }): Promise<Checkpoint | undefined> {
  const { last } = new CheckpointFolder(checkpointFolder(run), 1);
  try {
    return readContents({ path: last, metadata: await readSealedMetadata(last) }, run.root_dir);
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** That of a run which stopped before its end and could be gone on with. */
export async function findUnfinished(run: { root_dir: string; run_name: string }): Promise<Checkpoint | undefined> {
  const last = await peekAtLast(run);
  return last?.state.isComplete ? undefined : last;
}
