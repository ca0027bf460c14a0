// SIGKILL at random moments of a run, from the start of its process to its end.

import { waitForMoment } from '../moments.js';
import { command, type Recipe, recipes, requireEqual, requireTidy, requireWhole } from '../place.js';
import { start } from '../program.js';
import { randomRow } from '../random.js';
import { type Case, goneOn, requireCode, type Suite } from '../suite.js';

/** `count` kills, every other one with threads as they come; after every third, the resumed run is killed as well. */
export async function randomKills(suite: Suite, count: number): Promise<void> {
  const random = randomRow(suite.seed, 'kills');
  const cases = Array.from({ length: count }, (_, index): Case => {
    const recipe = index % 2 === 0 ? recipes.deterministic : recipes.usual;
    const moments = Array.from({ length: index % 3 === 2 ? 2 : 1 }, random);
    return killCase(suite, { name: `kill ${index + 1}/${count}`, recipe, moments });
  });
  // Both at a time, as the runs to be killed are.
  await Promise.all([suite.reference(recipes.deterministic), suite.reference(recipes.usual)]);
  await suite.runAll('kills at random moments', cases);
}

interface Plan {
  name: string;
  recipe: Recipe;
  /** Shares of an uninterrupted run. */
  moments: readonly number[];
}

function killCase(suite: Suite, { name, recipe, moments }: Plan): Case {
  return {
    name: `${name}, ${recipe.name}`,
    run: async (place) => {
      const reference = await suite.reference(recipe);
      const seen: string[] = [];
      for (const moment of moments) {
        const running = start(command(place, recipe));
        const isAlive = await waitForMoment(running, place, moment, reference);
        const killedMs = Math.round(running.elapsedMs());
        running.child.kill('SIGKILL');
        const ending = await running.ended;
        if (isAlive && ending.signal !== 'SIGKILL') requireCode(ending, 0);
        await requireWhole(place);
        const where = /Resumed/.test(ending.output) ? `${goneOn(ending)}, ` : '';
        seen.push(`${where}killed at ${killedMs} ms${ending.signal === 'SIGKILL' ? '' : ' (over by then)'}`);
      }
      const ending = await start(command(place, recipe)).ended;
      requireCode(ending, 0);
      await requireEqual(place, recipe, reference.result);
      requireTidy(place);
      return `${[...seen, goneOn(ending)].join(', ')}, equal`;
    },
  };
}
