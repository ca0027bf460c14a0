// What a checkpoint says of itself, beside its tensors: the run's state, and all that must be the same where it goes on.

import { isAbsolute, join, relative } from 'node:path';
import type { Preprocessing } from '../../data/preprocessing.js';
import { messageOf, UserError } from '../../errors.js';
import type { RunFiles } from '../../reporting/run-files.js';
import type { SealedFile } from '../../weights/sealed-file.js';
import { type ModelFacts, modelMetadata } from '../model-file.js';
import type { DataFingerprint } from './fingerprint.js';
import { fromJson, toJson } from './json.js';
import { decodeState, encodeState, type RunState } from './state.js';

/** Raised when a checkpoint of before can't be read any more. */
const formatVersion = '1';

export interface CheckpointContents {
  state: RunState;
  /** The options of the run that wrote it, as they were parsed. */
  options: Readonly<Record<string, unknown>>;
  classes: readonly string[];
  preprocessing: Preprocessing;
  data: DataFingerprint;
  /** Threads within one TensorFlow operation, on which the last bits depend. */
  threads: number;
  /** Whether the run's steps had our own kernels; unknown in older checkpoints. */
  kernels?: boolean | undefined;
  /** Where the run logs, with absolute paths. */
  files: RunFiles;
}

/** A checkpoint that was found whole. */
export interface Checkpoint extends CheckpointContents {
  path: string;
}

export function describeContents(
  contents: Omit<CheckpointContents, 'options' | 'classes' | 'preprocessing'>,
  facts: ModelFacts,
): Record<string, string> {
  const { state, data, threads, kernels, files } = contents;
  const { root_dir: root } = facts.config;
  const relativeFiles = Object.entries(files).map(([name, path]) => [name, relative(root, path)]);
  return {
    ...modelMetadata(facts),
    checkpoint: formatVersion,
    state: encodeState(state),
    data: toJson(data),
    threads: String(threads),
    ...(kernels !== undefined && { kernels: String(kernels) }),
    files: toJson(Object.fromEntries(relativeFiles)),
  };
}

/** Throws a `UserError` where a file is no checkpoint, or one of another version. */
export function readContents({ path, metadata }: Pick<SealedFile, 'path' | 'metadata'>, root: string): Checkpoint {
  const version = metadata['checkpoint'];
  if (version === undefined) {
    throw new UserError(`${path} is no checkpoint`, {
      found: metadata['model'] === undefined ? 'a safetensors file' : 'the model of a finished run',
      mend: 'Start a new run from it with --weights',
    });
  }
  try {
    if (version !== formatVersion) throw new Error(`format ${version}`);
    const field = (name: string) => fromJson(metadata[name] ?? 'null');
    return {
      path,
      state: decodeState(metadata['state'] ?? 'null'),
      options: field('options') as Record<string, unknown>,
      classes: field('classes') as string[],
      preprocessing: field('preprocessing') as Preprocessing,
      data: field('data') as DataFingerprint,
      threads: Number(metadata['threads']),
      kernels: metadata['kernels'] === undefined ? undefined : metadata['kernels'] === 'true',
      files: absoluteFiles(field('files') as RunFiles, root),
    };
  } catch (error) {
    const parts = { found: messageOf(error), mend: 'Go on with the version that wrote it, or start a new run' };
    throw new UserError(`${path} is of another version of this program`, parts, { cause: error });
  }
}

/** Only names below `root` are taken: a checkpoint must not make a run write elsewhere. */
function absoluteFiles(files: RunFiles, root: string): RunFiles {
  const entries = Object.entries(files).map(([name, path]) => {
    const absolute = join(root, path);
    if (isAbsolute(path) || relative(root, absolute).startsWith('..')) throw new Error(`the path ${path}`);
    return [name, absolute] as const;
  });
  return Object.fromEntries(entries) as unknown as RunFiles;
}
