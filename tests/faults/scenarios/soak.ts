// Whether memory stays as it is over as many steps as a ResNet-18 takes in an hour on two cores, with a checkpoint every few
// steps and an epoch's end every few more.

import { readFileSync } from 'node:fs';
import { command, type Place, recipes } from '../place.js';
import { start } from '../program.js';
import { requireCode, type Suite } from '../suite.js';

/** 650 epochs of 4 steps are 2,600. */
const epochs = 650;
const allowedGrowth = 0.03;

export async function soak(suite: Suite): Promise<void> {
  const options = [
    ...recipes.usual.options.filter((option) => !/^--(epochs|checkpoint_minutes)/.test(option)),
    `--epochs=${epochs}`,
    '--checkpoint_minutes=0.01',
  ];
  const watch = async (place: Place) => {
    const startedMs = performance.now();
    const running = start(command(place, { ...recipes.usual, options }), { patienceMs: 4 * 3600 * 1000 });
    await running.printed('Epoch: 65 ');
    const mib: number[] = [];
    while (await running.lives(500)) mib.push(...residentMib(running.child.pid ?? 0));
    requireCode(await running.ended, 0);
    const quarter = Math.floor(mib.length / 4);
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const [first, last] = [mean(mib.slice(0, quarter)), mean(mib.slice(-quarter))];
    const growth = last / first - 1;
    const minutes = ((performance.now() - startedMs) / 60_000).toFixed(1);
    const saw = `${4 * epochs} steps in ${minutes} min, ${first.toFixed(0)} MiB in the first quarter after a tenth, ${last.toFixed(0)} MiB in the last, ${(100 * growth).toFixed(1)} %`;
    if (!(growth < allowedGrowth)) throw new Error(saw);
    return saw;
  };
  await suite.runAll('soak', [{ name: 'memory', run: watch }], { jobs: 1 });
}

/** One number, or none when the process is just ending. */
function residentMib(pid: number): number[] {
  const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return kib === undefined ? [] : [Number(kib) / 1024];
}
