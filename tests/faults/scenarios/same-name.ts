// Eight processes at once on one run name.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { command, type Place, recipes, requireEqual, requireTidy } from '../place.js';
import { type Ending, endingText, run } from '../program.js';
import { type Case, goneOn, hasStack, requireOneLine, type Suite } from '../suite.js';

const recipe = recipes.deterministic;
const processes = 8;

export async function sameNames(suite: Suite): Promise<void> {
  const { result } = await suite.reference(recipe);
  const check = async (place: Place) => {
    await requireEqual(place, recipe, result);
    requireTidy(place);
    const tables = readdirSync(join(place.root, 'outputs/results')).filter((name) => name.endsWith('.csv'));
    if (tables.length !== 1) throw new Error(`tables: ${tables}`);
  };
  const fresh: Case = {
    name: `${processes} new runs: one trains, the others are refused`,
    run: async (place) => {
      const args = command(place, recipe).filter((option) => !option.startsWith('--resume'));
      const endings = await startAll(args);
      const [first, ...others] = endings;
      if (first?.code !== 0) throw new Error(endings.map(({ output }) => output).join('\n'));
      for (const ending of others) requireRefusal(ending);
      await check(place);
      return `${endings.map(endingText).join(', ')}; equal`;
    },
  };
  const patient: Case = {
    name: `${processes} runs with --resume=auto: one trains, the others wait, find it done, and test`,
    run: async (place) => {
      const endings = await startAll(command(place, recipe));
      const trained = endings.filter((ending) => ending.code === 0 && goneOn(ending) === 'begun anew');
      const late = endings.filter((ending) => ending.code === 0 && goneOn(ending) === 'resumed at step 8');
      const refused = endings.filter(({ code }) => code === 2);
      if (trained.length !== 1 || trained.length + late.length + refused.length !== processes) {
        throw new Error(endings.map(({ output }) => output).join('\n'));
      }
      if (endings.some(({ output }) => hasStack(output))) throw new Error('a stack');
      for (const ending of refused) requireRefusal(ending);
      await check(place);
      return `1 trained, ${late.length} tested after it, ${refused.length} refused after a minute; equal`;
    },
  };
  await suite.runAll('one name', [fresh, patient], { jobs: 1 });
}

/** The endings, successes first. */
async function startAll(args: readonly string[]): Promise<Ending[]> {
  const endings = await Promise.all(Array.from({ length: processes }, () => run(args)));
  return endings.sort((a, b) => (a.code ?? 99) - (b.code ?? 99));
}

function requireRefusal(ending: Ending): void {
  if (ending.code !== 2) throw new Error(`${endingText(ending)}:\n${ending.output}`);
  const line = requireOneLine(ending);
  if (!/Another run named run is going on: found process \d+ on /.test(line)) throw new Error(line);
}
