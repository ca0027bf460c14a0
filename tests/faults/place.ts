// A folder in which one run is tested, and what the run must look like at its end.

import { deepStrictEqual } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { findCheckpoint } from '#src/training/checkpoint/find.js';
import { CheckpointFolder, checkpointFolder } from '#src/training/checkpoint/folder.js';
import { readSafetensors } from '#src/weights/safetensors.js';
import { openSealed, readSealedTensors } from '#src/weights/sealed-file.js';

export const runName = 'run';

export interface Recipe {
  name: string;
  options: readonly string[];
  isDeterministic: boolean;
}

// Everything that a resumed run could get wrong is in it: the order of the images, augmentation, mixup, dropout, both
// slots of Adam, a rate that changes, a best epoch. A checkpoint follows each step.
const usual = [
  ...['--model=squeezenet1_1', '--pretrained=False', '--device=cpu', '--seed=7', '--batch_size=5', '--workers=2'],
  ...['--augment=trivial', '--mixup=0.2', '--weight_decay=0.01', '--lr=0.0005', '--schedule=cosine'],
  '--checkpoint_minutes=1e-9',
];

export const recipes = {
  deterministic: { name: 'deterministic', options: [...usual, '--epochs=2', '--deterministic'], isDeterministic: true },
  usual: { name: 'usual', options: [...usual, '--epochs=2'], isDeterministic: false },
  long: { name: 'long', options: [...usual, '--epochs=40', '--deterministic'], isDeterministic: true },
} as const satisfies Record<string, Recipe>;

/** Steps of a run of two epochs. */
export const allSteps = 8;

export interface Place {
  root: string;
  dataDir: string;
}

const config = ({ root }: Pick<Place, 'root'>) => ({ root_dir: root, run_name: runName });

/** The command line of a run that goes on where it was, if it was. */
export function command(place: Place, { options }: Recipe): string[] {
  return ['train', ...options, ...placeOptions(place), '--resume=auto'];
}

export function placeOptions({ root, dataDir }: Place): string[] {
  return [`--data_dir=${dataDir}`, `--root_dir=${root}`, `--run_name=${runName}`];
}

export const checkpoints = (place: Pick<Place, 'root'>) => checkpointFolder(config(place));
export const lastCheckpoint = (place: Pick<Place, 'root'>) => join(checkpoints(place), 'last.safetensors');
export const models = ({ root }: Pick<Place, 'root'>) => join(root, 'outputs/models');

/** Everything that a run leaves and that must be the same to the bit. */
export async function resultOf(place: Place, recipe: Recipe): Promise<unknown> {
  const found = await findCheckpoint({ ...config(place), resume: 'last' });
  if (!found) throw new Error('no checkpoint');
  const { state, classes } = found.checkpoint;
  const { history, counters, epoch, batch, sums, isComplete, badImages } = state;
  return {
    position: { counters, epoch, batch, sums, isComplete, badImages, classes },
    history: history.map(({ seconds: _, imagesPerSecond: __, ...result }) => result),
    last: await digestsOfSealed(lastCheckpoint(place)),
    best: await digestsOfSealed(join(checkpoints(place), 'best.safetensors')),
    model: await digestsOf(join(models(place), `${runName}.safetensors`)),
    bestModel: await digestsOf(join(models(place), `${runName}.best.safetensors`)),
    table: tableOf(place, recipe),
    closing: closingLines(place),
  };
}

/** Compares with what an uninterrupted run left; throws with what differs. */
export async function requireEqual(place: Place, recipe: Recipe, expected: unknown): Promise<void> {
  deepStrictEqual(await resultOf(place, recipe), expected);
}

async function digestsOfSealed(path: string): Promise<[string, string][]> {
  await openSealed(path);
  return digests(await readSealedTensors(path));
}

async function digestsOf(path: string): Promise<[string, string][]> {
  return digests((await readSafetensors(path)).weights);
}

type Tensors = ReadonlyMap<string, { data: Float32Array }>;

const digests = (tensors: Tensors) =>
  Array.from(tensors, ([name, { data }]): [string, string] => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return [name, createHash('sha256').update(bytes).digest('hex').slice(0, 16)];
  });

/** The table of results as it is; without its timings where a run has them. A run that began anew has a newer one. */
function tableOf(place: Place, { isDeterministic }: Recipe): string {
  const path = newest(join(place.root, 'outputs/results'), '.csv');
  const text = readFileSync(path, 'utf8');
  if (isDeterministic) return text;
  return text.replaceAll(/,[^,]*,[^,]*\n/g, '\n');
}

/** The last words of the log: losses and precision of the test. */
function closingLines(place: Place): string[] {
  const text = readFileSync(newest(join(place.root, 'outputs/logger'), '.log'), 'utf8');
  return text
    .split('\n')
    .flatMap((line) => {
      const [said] = /(?<=\[INFO\]: )(Test \||LOSS ).*/.exec(line) ?? [];
      return said === undefined ? [] : [said];
    })
    .slice(-2);
}

/** The file that was changed last. Names don't tell: two runs may begin in one second. */
function newest(folder: string, ending: string): string {
  const paths = list(folder).flatMap((name) => (name.endsWith(ending) ? [join(folder, name)] : []));
  const [path] = paths.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  if (path === undefined) throw new Error(`nothing ends with ${ending} in ${folder}`);
  return path;
}

/** Throws where a file under one of the final names is not whole. Returns the number of checkpoints. */
export async function requireWhole(place: Place): Promise<number> {
  const found = await new CheckpointFolder(checkpoints(place), 1).newestFirst();
  for (const path of found) await openSealed(path);
  const best = join(checkpoints(place), 'best.safetensors');
  if (existsSync(best)) await openSealed(best);
  for (const name of list(models(place))) if (!name.startsWith('.')) await readSafetensors(join(models(place), name));
  return found.length;
}

/** Throws where something is left in `outputs` that the run needed only on the way. */
export function requireTidy(place: Place): void {
  const left = list(join(place.root, 'outputs'), true).filter((path) => /(^|\/)\.|\.tmp$|\.next/.test(path));
  if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
}

function list(folder: string, recursive = false): string[] {
  return existsSync(folder) ? readdirSync(folder, { recursive, encoding: 'utf8' }) : [];
}
