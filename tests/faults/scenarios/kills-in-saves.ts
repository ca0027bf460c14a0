// SIGKILL at chosen calls of a save: before a write, a sync, a rename or a link, after it, or with half of it done.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { command, type Place, recipes, requireWhole } from '../place.js';
import { run } from '../program.js';
import { spread } from '../random.js';
import { type Case, requireCode, type Suite } from '../suite.js';
import { type Call, orderMistakes } from '../write-order.js';

const kinds = ['write', 'fsync', 'rename', 'link', 'folder-fsync', 'rm'] as const;
/** Fewer of each, and only the first kinds are tried. */
const fewCases = 5;
const recipe = recipes.deterministic;

/** So many kills at calls of each kind, spread over a whole run, which is listed first. */
export async function killsInSaves(suite: Suite, count: number): Promise<void> {
  await suite.reference(recipe);
  let calls: Call[] = [];
  await suite.runAll('the calls of a whole run', [
    {
      name: 'what a rename puts in place is on the disk by then, and the rename soon after',
      run: async (place) => {
        calls = await listCalls(place);
        const mistakes = orderMistakes(calls);
        if (mistakes.length > 0) throw new Error(mistakes.join('\n'));
        const total = (kind: string) => calls.filter((call) => call.kind === kind).length;
        return kinds.map((kind) => `${total(kind)} ${kind}`).join(', ');
      },
    },
  ]);
  for (const kind of count < fewCases ? kinds.slice(0, 3) : kinds) {
    const total = calls.filter((call) => call.kind === kind).length;
    const moments = kind === 'write' ? (['before', 'middle', 'after'] as const) : (['before', 'after'] as const);
    // Each moment of each call is one that can be chosen.
    const cases = spread(total * moments.length, count).map((chosen) => {
      const [number, which] = [Math.ceil(chosen / moments.length), (chosen - 1) % moments.length];
      return killCase(suite, { kind, number, total, when: moments[which] ?? 'before' });
    });
    await suite.runAll(`kills at a ${kind}`, cases);
  }
}

async function listCalls(place: Place): Promise<Call[]> {
  const path = join(place.root, 'calls.txt');
  const ending = await run(command(place, recipe), { withPreload: true, env: { CALLS: path } });
  requireCode(ending, 0);
  const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
  return lines.map((line) => {
    const [kind = '', to = '', from = ''] = line.split('\t');
    return { kind, to, from };
  });
}

interface Kill {
  kind: (typeof kinds)[number];
  number: number;
  total: number;
  when: 'before' | 'middle' | 'after';
}

function killCase(suite: Suite, { kind, number, total, when }: Kill): Case {
  return {
    name: `kill ${when === 'middle' ? 'in the middle of' : when} ${kind} ${number} of ${total}`,
    run: async (place) => {
      const ending = await run(command(place, recipe), {
        withPreload: true,
        env: { KILL_AT: `${kind}:${number}:${when}` },
      });
      if (ending.signal !== 'SIGKILL') throw new Error(`it was not killed:\n${ending.output}`);
      const count = await requireWhole(place);
      return `${count} whole checkpoints, ${await suite.resumeToEnd(place, recipe)}`;
    },
  };
}
