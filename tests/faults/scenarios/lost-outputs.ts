// The folders of outputs closed or taken away in the middle of a run.

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { checkpoints, command, lastCheckpoint, models, type Place, recipes } from '../place.js';
import { start } from '../program.js';
import { type Case, hasStack, requireCode, requireOneLine, Skipped, type Suite } from '../suite.js';

const recipe = recipes.deterministic;
/** Root heeds no permissions unless it gives this up. */
const asOthers = ['setpriv', '--bounding-set=-dac_override,-dac_read_search', '--inh-caps=-all'];

export async function lostOutputs(suite: Suite): Promise<void> {
  await suite.reference(recipe);
  const outputs = ({ root }: Place) => join(root, 'outputs');
  const cases: Case[] = [
    closedCase(suite, 'the checkpoints read-only', checkpoints),
    closedCase(suite, 'the models read-only', models),
    closedCase(suite, 'the tables read-only', (place) => join(outputs(place), 'results')),
    goneCase(suite, 'the checkpoints gone', checkpoints),
    goneCase(suite, 'the models gone', models),
    goneCase(suite, 'the tables gone', (place) => join(outputs(place), 'results')),
    goneCase(suite, 'the logs gone', (place) => join(outputs(place), 'logger')),
    goneCase(suite, 'all outputs gone', outputs),
  ];
  await suite.runAll('lost outputs', cases);
}

/** Goes on as well as it can; the end is the same once the folder is open again. */
function closedCase(suite: Suite, name: string, folderOf: (place: Place) => string): Case {
  return {
    name,
    run: async (place) => {
      const through = process.getuid?.() === 0 ? asOthers : [];
      if (through.length > 0 && spawnSync(through[0] ?? '', [...through.slice(1), 'true']).status !== 0) {
        throw new Skipped('root cannot give up its rights here');
      }
      const running = start(command(place, recipe), { through });
      await waitForFirstSave(place, running.lives);
      const folder = folderOf(place);
      if (!existsSync(folder)) throw new Error(`no ${folder}:\n${running.output()}`);
      chmodSync(folder, 0o555);
      const ending = await running.ended;
      chmodSync(folder, 0o755);
      requireCode(ending, 0, 2);
      if (hasStack(ending.output)) throw new Error(ending.output);
      const told = ending.output.split('\n').filter((line) => /EACCES|permission denied/.test(line)).length;
      if (ending.code === 2) requireOneLine(ending);
      return `exit code ${ending.code}, told in ${told} lines; then ${await suite.resumeToEnd(place, recipe)}`;
    },
  };
}

function goneCase(suite: Suite, name: string, folderOf: (place: Place) => string): Case {
  return {
    name,
    run: async (place) => {
      const running = start(command(place, recipe));
      await waitForFirstSave(place, running.lives);
      rmSync(folderOf(place), { recursive: true, force: true, maxRetries: 3 });
      const ending = await running.ended;
      requireCode(ending, 0);
      if (hasStack(ending.output)) throw new Error(ending.output);
      return `exit code 0; then ${await suite.resumeToEnd(place, recipe)}`;
    },
  };
}

async function waitForFirstSave(place: Place, lives: (ms: number) => Promise<boolean>): Promise<void> {
  while (!existsSync(lastCheckpoint(place))) if (!(await lives(20))) return;
}
