// The trained network that a user asks for: a run's, a file's, or a model with its published ImageNet weights.

import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { UserError } from '../errors.js';
import { factsOf } from '../models/facts.js';
import { modelNames } from '../models/registry.js';
import { checkModelName } from '../options/model-name.js';
import type { NetworkChoice } from '../options/network-options.js';
import { findFile, findRootDir } from '../options/paths.js';
import { findRunDescription } from '../reporting/find-run-description.js';
import type { RunDescription } from '../reporting/run-description.js';
import { bestModelFile, modelFile } from '../reporting/run-files.js';
import { type FoundWeights, findPretrained, findWeights } from '../weights/sources.js';
import { readClassNames } from './class-names.js';
import { type NetworkFile, readNetworkFile } from './network-file.js';

export interface OpenedNetwork extends NetworkFile {
  /** For the names of what is made of it: the run's, with `.best` for its best network, or the file's or model's. */
  name: string;
  /** Of the run that trained it, where it is a run's and there is one. */
  run: RunDescription | undefined;
}

/**
 * Finds what the options name, downloads it where need be, and reads it.
 * @throws UserError for options that contradict each other, and where the network can't be had or read.
 */
export async function openNetwork(choice: NetworkChoice): Promise<OpenedNetwork> {
  requireOneNetwork(choice);
  const classes = choice.classes === undefined ? undefined : readClassNames(findFile('classes', choice.classes));
  const { path, name, model, run } = await findNetwork(choice);
  return { ...(await readNetworkFile(path, { model, classes })), name, run };
}

function requireOneNetwork({ run, best, weights, model }: NetworkChoice): void {
  const all = '--run=NAME, --weights=FILE or --model=NAME';
  if (run !== undefined && weights !== undefined) {
    throw new UserError('Two networks at once', { expected: all, found: '--run and --weights' });
  }
  if (run !== undefined && model !== undefined) {
    throw new UserError('--model does not go with --run', {
      mend: "Leave it out: a run's network says which one it is",
    });
  }
  if (run === undefined && best) {
    throw new UserError('--best has no run to choose from', { mend: 'Name the run with --run' });
  }
  if (run === undefined && weights === undefined && model === undefined) {
    throw new UserError('No network to use', { expected: all, found: 'none of them' });
  }
}

interface FoundNetwork extends Pick<OpenedNetwork, 'path' | 'name' | 'run'> {
  /** Where the user says which one it is. */
  model?: string | undefined;
}

async function findNetwork({ run, best, weights, model, root_dir }: NetworkChoice): Promise<FoundNetwork> {
  if (model !== undefined) checkModelName(model, modelNames());
  if (run !== undefined) return findOfRun({ root_dir: findRootDir(root_dir), run_name: run }, best);
  if (weights !== undefined) {
    const { path } = await findWeights(weights);
    return { path, name: model ?? nameOf(weights), model, run: undefined };
  }
  if (model === undefined) throw new Error('internal: no network was asked for');
  const { path } = await findPublished(model);
  return { path, name: model, model, run: undefined };
}

/** As `findPretrained`, whose ways on are for training. */
async function findPublished(model: string): Promise<FoundWeights> {
  try {
    return await findPretrained(model, factsOf(model));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { what, ...parts } = error.parts;
    const mend = `Run \`deep-cnn weights download ${model}\` where there is internet, or name a file with --weights, too`;
    throw new UserError(what, { ...parts, mend }, { cause: error });
  }
}

async function findOfRun(place: { root_dir: string; run_name: string }, best: boolean): Promise<FoundNetwork> {
  const path = best ? bestModelFile(place) : modelFile(place);
  if ((await stat(path).catch(() => undefined)) === undefined) {
    throw new UserError(`The run ${place.run_name} has left no network`, {
      expected: `a file ${path}`,
      mend: 'Name a run that has finished an epoch, and with --root_dir the folder that holds its outputs',
    });
  }
  const name = best ? `${place.run_name}.best` : place.run_name;
  return { path, name, run: orNone(() => findRunDescription(place)) };
}

/** A description is welcome, and not needed. */
function orNone<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** What is left of a path, or of an address on the hub, without its ending. */
function nameOf(weights: string): string {
  const path = weights.startsWith('hf:') ? weights.slice('hf:'.length).replace(/[@:].*$/s, '') : weights;
  return basename(path).replace(/\.(safetensors|pth|pt)$/, '') || 'network';
}
