// A disk that is full before the run is over, a file system of its own for each case.

import { spawnSync } from 'node:child_process';
import { command, recipes, requireWhole } from '../place.js';
import { run } from '../program.js';
import { type Case, hasStack, requireCode, requireOneLine, Skipped, type Suite } from '../suite.js';

const recipe = recipes.deterministic;
const kib = 1024;
const mib = 1024 * kib;
/** Just not enough for three checkpoints and three models on the way. */
const largestBytes = 28 * mib;

/** So many sizes, from next to nothing to almost enough; small ones are closer together. */
export async function fullDisks(suite: Suite, count: number): Promise<void> {
  await suite.reference(recipe);
  const sizes = Array.from({ length: count }, (_, index) => {
    const share = count === 1 ? 0.5 : index / (count - 1);
    return Math.round((8 * kib + largestBytes * share ** 1.5) / (4 * kib)) * 4 * kib;
  });
  await suite.runAll(
    'full disks',
    sizes.map((bytes) => diskCase(suite, bytes)),
  );
}

function diskCase(suite: Suite, bytes: number): Case {
  return {
    name: `a disk of ${bytes < mib ? `${bytes / kib} KiB` : `${(bytes / mib).toFixed(1)} MiB`}`,
    run: async (place) => {
      const mounting = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', place.root]);
      if (mounting.status !== 0) throw new Skipped('mounting a small file system is not allowed here');
      try {
        const ending = await run(command(place, recipe));
        requireCode(ending, 0, 2);
        if (hasStack(ending.output)) throw new Error(ending.output);
        const told = ending.output.split('\n').filter((line) => /ENOSPC|no space left/.test(line)).length;
        if (told === 0) throw new Error(`nothing was said of a full disk:\n${ending.output}`);
        if (ending.code === 2) requireOneLine(ending);
        const kept = await requireWhole(place);
        spawnSync('mount', ['-o', `remount,size=${4 * largestBytes}`, place.root]);
        const resumed = await suite.resumeToEnd(place, recipe);
        return `exit code ${ending.code}, told in ${told} lines, ${kept} whole checkpoints; with room ${resumed}`;
      } finally {
        if (spawnSync('umount', [place.root]).status !== 0) spawnSync('umount', ['--lazy', place.root]);
      }
    },
  };
}
