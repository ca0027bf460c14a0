// Checkpoints that rot: flipped bits, cut ends, files that are gone.

import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkpoints, command, lastCheckpoint, type Place, recipes, requireEqual, requireTidy } from '../place.js';
import { type Ending, run } from '../program.js';
import { randomRow } from '../random.js';
import { type Case, goneOn, requireCode, requireOneLine, type Suite } from '../suite.js';
import { stoppedAtStep } from '../unfinished.js';

/** Fewer flipped bits, and not every other damage is tried. */
const fewCases = 5;
const recipe = recipes.deterministic;

interface Damage {
  name: string;
  /** Changes `last`; returns what it did. */
  damage: (path: string) => string;
  /** Whether the file is still there, so that a run has to say that it is not whole. */
  isThere?: boolean;
}

/** So many flipped bits, and each other damage once. */
export async function damagedCheckpoints(suite: Suite, count: number): Promise<void> {
  await suite.reference(recipe);
  const random = randomRow(suite.seed, 'damage');
  const flips = Array.from({ length: count }, (_, index): Damage => {
    const where = random();
    return { name: `flipped bit ${index + 1}/${count}`, damage: (path) => flipBit(path, where) };
  });
  const cut = random();
  const others: Damage[] = [
    { name: 'a cut end', damage: (path) => truncate(path, cut) },
    { name: 'an empty file', damage: (path) => truncate(path, 0) },
    { name: 'other content', damage: (path) => fill(path) },
    { name: 'last gone', damage: (path) => remove(path), isThere: false },
  ];
  const cases = [...flips, ...(count < fewCases ? others.slice(-1) : others)].map((damage) =>
    damageCase(suite, damage),
  );
  await suite.runAll('damaged checkpoints', [...cases, hopelessCase(suite)]);
}

function damageCase(suite: Suite, { name, damage, isThere = true }: Damage): Case {
  return {
    name,
    run: async (place) => {
      await suite.stopInSecondEpoch(place, recipe);
      const did = damage(lastCheckpoint(place));
      const ending = await resume(place);
      requireCode(ending, 0);
      if (isThere !== /last\.safetensors is not whole .*the one before it is used/.test(ending.output)) {
        throw new Error(`${isThere ? 'not told' : 'told in vain'}:\n${ending.output}`);
      }
      if (goneOn(ending) !== `resumed at step ${stoppedAtStep - 1}`) throw new Error(goneOn(ending));
      const { result } = await suite.reference(recipe);
      await requireEqual(place, recipe, result);
      requireTidy(place);
      return `${did}, ${goneOn(ending)}, equal`;
    },
  };
}

/** Nothing to go on from: one line, and nothing is touched. */
const hopelessCase = (suite: Suite): Case => ({
  name: 'no checkpoint is whole',
  run: async (place) => {
    await suite.stopInSecondEpoch(place, recipe);
    const folder = checkpoints(place);
    const names = readdirSync(folder).filter((name) => name.startsWith('last'));
    for (const name of names) flipBit(join(folder, name), 0.5);
    const ending = await resume(place);
    requireCode(ending, 2);
    const line = requireOneLine(ending);
    if (!/No checkpoint of this run is whole/.test(line)) throw new Error(line);
    const left = readdirSync(folder).filter((name) => name.startsWith('last'));
    if (left.length !== names.length) throw new Error(`left: ${left}`);
    return 'one line, exit code 2';
  },
});

const resume = (place: Place): Promise<Ending> => run(command(place, recipe));

function flipBit(path: string, where: number): string {
  const bytes = readFileSync(path);
  const bit = Math.floor(where * bytes.length * 8);
  const at = bit >> 3;
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
  writeFileSync(path, bytes);
  return `bit ${bit & 7} of byte ${at} of ${bytes.length}`;
}

function truncate(path: string, share: number): string {
  const size = Math.floor(readFileSync(path).length * share);
  truncateSync(path, size);
  return `${size} bytes left`;
}

function fill(path: string): string {
  writeFileSync(path, 'not what it was\n'.repeat(1000));
  return 'text in its place';
}

function remove(path: string): string {
  rmSync(path);
  return 'removed';
}
