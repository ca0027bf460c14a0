// node build/bench/wandb.js [rounds] [epochs]: what training loses by a W&B server that never answers, or takes 5 s for each
// answer. A run without W&B and one with it train at the same time, each on one processor of its own, which it shares with
// its uploading thread, and then once more with the processors changed. One line of JSON a round tells the median seconds
// of an epoch and the ratio of with to without. It needs taskset and two processors.

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { start } from '../tests/faults/program.js';
import { apiKey, type Fault, startWandbServer } from '../tests/reporting/wandb-server.js';

const [, , rounds = '1', epochs = '36'] = process.argv;
const data = join(import.meta.dirname, '../../tests/places_test_input');
const recipe = ['--model=squeezenet1_1', '--pretrained=False', '--batch_size=16', '--lr=1e-4', '--workers=2'];
const servers = { mute: { hang: true }, slow: { delayMs: 5_000 } } satisfies Record<string, Fault>;

for (let round = 0; round < Number(rounds); round++) {
  for (const [name, fault] of Object.entries(servers)) {
    const first = await trainPair(fault, { withoutOn: 0, withOn: 1 });
    const second = await trainPair(fault, { withoutOn: 1, withOn: 0 });
    const ratio = Math.sqrt((first.with / first.without) * (second.with / second.without));
    console.log(JSON.stringify({ server: name, first, second, ratio }));
  }
}

async function trainPair(fault: Fault, { withoutOn, withOn }: { withoutOn: number; withOn: number }) {
  const [without, withIt] = await Promise.all([trainOn(withoutOn), trainOn(withOn, fault)]);
  return { without, with: withIt };
}

/** The median of the epochs' seconds. */
async function trainOn(processor: number, fault?: Fault): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'deep-cnn-bench-'));
  const ends: (() => unknown)[] = [() => rm(folder, { recursive: true, force: true, maxRetries: 5 })];
  try {
    const server = await startWandbServer({ after: (end) => ends.unshift(end as () => unknown) });
    server.behave = () => fault;
    const account = { WB_KEY: apiKey, WB_PROJECT: 'bench', WB_USER: 'me', WANDB_BASE_URL: server.baseUrl };
    const where = [`--root_dir=${folder}`, `--data_dir=${data}`, `--epochs=${epochs}`];
    const run = start([...where, ...recipe, `--wandb=${fault === undefined ? 'False' : 'True'}`], {
      env: { ...account, TF_NUM_INTRAOP_THREADS: '1' },
      through: ['taskset', '-c', String(processor)],
    });
    if (!(await run.printed(/LOSS train .* test /))) throw new Error(run.output());
    run.child.kill('SIGKILL');
    await run.ended;
    return await medianEpoch(join(folder, 'outputs/results'));
  } finally {
    for (const end of ends) await end();
  }
}

async function medianEpoch(folder: string): Promise<number> {
  const name = (await readdir(folder)).find((file) => file.endsWith('.csv')) ?? 'none';
  const [header = '', ...rows] = (await readFile(join(folder, name), 'utf8')).trimEnd().split('\n');
  const column = header.split(',').indexOf('seconds');
  const seconds = rows.map((row) => Number(row.split(',')[column])).sort((a, b) => a - b);
  return seconds[Math.floor(seconds.length / 2)] ?? Number.NaN;
}
