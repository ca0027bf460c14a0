// `deep-cnn weights`: pretrained weights on this machine. They are downloaded where there is a network, and found again
// on the machines that share its disk.

import { exitCode, UserError } from '../errors.js';
import type { Command } from '../options/command.js';
import { quoted } from '../options/given.js';
import { checkModelName } from '../options/model-name.js';
import { didYouMean, nearest } from '../options/nearest.js';
import { textTable } from '../reporting/text-table.js';
import type { CachedWeights, SourceSettings, WeightsOrigin } from '../weights/sources.js';
import { count, formatBytes } from '../wording.js';
import { standardVoices, type Voices } from './voices.js';

/** What the command needs from the rest of the program; tests put their own in. */
export interface WeightsParts extends Pick<Voices, 'print'> {
  /** All models, and where their weights are published. */
  origins: () => Promise<ReadonlyMap<string, WeightsOrigin>>;
  settings?: SourceSettings;
}

const parts: WeightsParts = {
  origins: async () => {
    const [{ modelNames }, { factsOf }] = await Promise.all([
      import('../models/registry.js'),
      import('../models/facts.js'),
    ]);
    return new Map(modelNames().map((name) => [name, factsOf(name)]));
  },
  print: standardVoices.print,
};

export const weightsCommand: Command = {
  name: 'weights',
  summary: 'List, download or verify pretrained weights',
  options: {},
  operands: '<list | download | verify> [model | hf:owner/repo ...]',
  offers: [['list', 'download', 'verify'], 'models'],
  run: (_, operands) => runWeights(operands, parts),
};

const verbs: Readonly<Record<string, (wanted: readonly string[], parts: WeightsParts) => Promise<void>>> = {
  list: listWeights,
  download: downloadWeights,
  verify: verifyWeights,
};

/** Does what the words after `weights` say. Throws a `UserError` for a mistake in them, and when weights are damaged. */
export async function runWeights([verb, ...wanted]: readonly string[], given: WeightsParts): Promise<number> {
  const work = verb !== undefined && Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
  if (work === undefined) {
    const suggestion = verb === undefined ? undefined : nearest(verb, Object.keys(verbs));
    throw new UserError('Bad use of deep-cnn weights', {
      expected: 'list, download or verify after it',
      found: verb === undefined ? 'nothing' : quoted(verb),
      mend: didYouMean(suggestion, 'See deep-cnn weights --help'),
    });
  }
  await work(wanted, given);
  return exitCode.ok;
}

async function listWeights(wanted: readonly string[], given: WeightsParts): Promise<void> {
  const cached = await findAll(wanted, given);
  if (cached.length === 0) {
    given.print('No pretrained weights are here yet: `deep-cnn weights download MODEL` fetches some.\n');
    return;
  }
  const bytes = cached.reduce((total, { file }) => total + file.bytes, 0);
  const rows = cached.map(({ name, file }) => [name, formatBytes(file.bytes), file.source, file.path]);
  given.print(textTable([['Model', 'Size', 'Source', 'File'], ...rows]));
  given.print(`${count(cached.length, 'file', 'files')}, ${formatBytes(bytes)}\n`);
}

async function downloadWeights(wanted: readonly string[], given: WeightsParts): Promise<void> {
  if (wanted.length === 0) {
    throw new UserError('deep-cnn weights download needs to know which weights', {
      expected: 'one or more models, or hf:owner/repo',
      mend: 'See `deep-cnn models` for their names',
    });
  }
  const origins = await given.origins();
  for (const name of wanted) originOf(name, origins);
  const { findPretrained, findWeights } = await import('../weights/sources.js');
  for (const name of wanted) {
    const origin = originOf(name, origins);
    const found =
      typeof origin === 'string'
        ? await findWeights(origin, given.settings)
        : await findPretrained(name, origin, given.settings);
    given.print(`${name}: ${found.path}\n`);
  }
}

async function verifyWeights(wanted: readonly string[], given: WeightsParts): Promise<void> {
  const { isIntact } = await import('../weights/sources.js');
  const cached = await findAll(wanted, given);
  for (const name of wanted) {
    if (cached.some((entry) => entry.name === name)) continue;
    throw new UserError(`There are no weights of ${name} here`, { mend: `Run \`deep-cnn weights download ${name}\`` });
  }
  const damaged = new Set<string>();
  for (const { name, file } of cached) {
    const intact = await isIntact(file);
    if (intact === false) damaged.add(name);
    given.print(`${intact === undefined ? 'unknown' : intact ? 'intact ' : 'DAMAGED'}  ${name}  ${file.path}\n`);
  }
  if (cached.length === 0) given.print('No pretrained weights are here yet.\n');
  if (damaged.size === 0) return;
  throw new UserError(`The weights of ${[...damaged].join(', ')} are damaged`, {
    expected: 'the SHA-256 of what was downloaded',
    mend: `Run \`deep-cnn weights download ${[...damaged].join(' ')}\``,
  });
}

/** What is cached of the weights that are wanted; of all models where none is named. */
async function findAll(
  wanted: readonly string[],
  { origins: load, settings }: WeightsParts,
): Promise<{ name: string; file: CachedWeights }[]> {
  const origins = await load();
  const { findCached } = await import('../weights/sources.js');
  const names = wanted.length > 0 ? wanted : [...origins.keys()];
  return names.flatMap((name) => findCached(originOf(name, origins), settings).map((file) => ({ name, file })));
}

/** Where a model's weights are published; an address `hf:...` stands for itself. */
function originOf(name: string, origins: ReadonlyMap<string, WeightsOrigin>): WeightsOrigin | string {
  if (name.startsWith('hf:')) return name;
  checkModelName(name, [...origins.keys()]);
  const origin = origins.get(name);
  if (origin === undefined) throw new Error(`internal: the model ${name} has passed the check and is not there`);
  return origin;
}
