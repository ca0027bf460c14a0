// node build/bench/wandb.js [rounds] [epochs]: what training loses by a W&B server that never answers, or takes 5 s for each
// answer. In each round a run without W&B, one with the first and one with the second take turns; one line of JSON tells
// the seconds of their epochs, set-up and the wait at the end left out, and the ratios.

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { start } from '../tests/faults/program.js';
import { apiKey, type Fault, startWandbServer } from '../tests/reporting/wandb-server.js';

const [, , rounds = '1', epochs = '20'] = process.argv;
const data = join(import.meta.dirname, '../../tests/places_test_input');
const recipe = ['--model=squeezenet1_1', '--pretrained=False', '--batch_size=16', '--lr=1e-4'];
const servers = { without: undefined, mute: { hang: true }, slow: { delayMs: 5_000 } } satisfies Record<
  string,
  Fault | undefined
>;
type Name = keyof typeof servers;
const names = Object.keys(servers) as Name[];

for (let round = 0; round < Number(rounds); round++) {
  const seconds: Partial<Record<Name, number>> = {};
  // The first place is another's each time.
  for (const at of names.keys()) {
    const name = names[(at + round) % names.length] ?? 'without';
    seconds[name] = await trainWith(servers[name]);
  }
  const { without = Number.NaN, mute = Number.NaN, slow = Number.NaN } = seconds;
  console.log(JSON.stringify({ without, mute, slow, mute_ratio: mute / without, slow_ratio: slow / without }));
}

/** Seconds of all epochs. */
async function trainWith(fault: Fault | undefined): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'deep-cnn-bench-'));
  const ends: (() => unknown)[] = [() => rm(folder, { recursive: true, force: true, maxRetries: 5 })];
  try {
    const server = await startWandbServer({ after: (end) => ends.unshift(end as () => unknown) });
    server.behave = () => fault;
    const env = { WB_KEY: apiKey, WB_PROJECT: 'bench', WB_USER: 'me', WANDB_BASE_URL: server.baseUrl };
    const where = [`--root_dir=${folder}`, `--data_dir=${data}`, `--epochs=${epochs}`];
    const run = start([...where, ...recipe, `--wandb=${fault === undefined ? 'False' : 'True'}`], { env });
    if (!(await run.printed(/LOSS train .* test /))) throw new Error(run.output());
    run.child.kill('SIGKILL');
    await run.ended;
    return await secondsOf(join(folder, 'outputs/results'));
  } finally {
    for (const end of ends) await end();
  }
}

async function secondsOf(folder: string): Promise<number> {
  const name = (await readdir(folder)).find((file) => file.endsWith('.csv')) ?? 'none';
  const [header = '', ...rows] = (await readFile(join(folder, name), 'utf8')).trimEnd().split('\n');
  const column = header.split(',').indexOf('seconds');
  return rows.reduce((sum, row) => sum + Number(row.split(',')[column]), 0);
}
