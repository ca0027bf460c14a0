// node build/bench/wandb.js [rounds] [epochs]: what training loses by a W&B server that never answers, or takes 5 s for each
// answer. In each round a run without W&B, one with the first and one with the second take turns, and one line of JSON
// tells of each the median seconds of an epoch, the processor's seconds from the start of the process to the end of
// training, and both as ratios to the run without.

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { statusFields } from '#src/process-identity.mjs';
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

interface Figures {
  epochSeconds: number;
  cpuSeconds: number;
}

for (let round = 0; round < Number(rounds); round++) {
  const found = new Map<Name, Figures>();
  // The first place is another's each time.
  for (const at of names.keys()) {
    const name = names[(at + round) % names.length] ?? 'without';
    found.set(name, await trainWith(servers[name]));
  }
  const without = found.get('without');
  const ratios = (name: Name) => ({
    epochs: (found.get(name)?.epochSeconds ?? Number.NaN) / (without?.epochSeconds ?? Number.NaN),
    cpu: (found.get(name)?.cpuSeconds ?? Number.NaN) / (without?.cpuSeconds ?? Number.NaN),
  });
  console.log(JSON.stringify({ ...Object.fromEntries(found), ratios: { mute: ratios('mute'), slow: ratios('slow') } }));
}

async function trainWith(fault: Fault | undefined): Promise<Figures> {
  const folder = await mkdtemp(join(tmpdir(), 'deep-cnn-bench-'));
  const ends: (() => unknown)[] = [() => rm(folder, { recursive: true, force: true, maxRetries: 5 })];
  try {
    const server = await startWandbServer({ after: (end) => ends.unshift(end as () => unknown) });
    server.behave = () => fault;
    const env = { WB_KEY: apiKey, WB_PROJECT: 'bench', WB_USER: 'me', WANDB_BASE_URL: server.baseUrl };
    const where = [`--root_dir=${folder}`, `--data_dir=${data}`, `--epochs=${epochs}`];
    const run = start([...where, ...recipe, `--wandb=${fault === undefined ? 'False' : 'True'}`], { env });
    if (!(await run.printed(/LOSS train .* test /))) throw new Error(run.output());
    const cpuSeconds = cpuSecondsOf(run.child.pid);
    run.child.kill('SIGKILL');
    await run.ended;
    return { epochSeconds: await epochSecondsOf(join(folder, 'outputs/results')), cpuSeconds };
  } finally {
    for (const end of ends) await end();
  }
}

/** Of all threads, in user mode and in the kernel. */
function cpuSecondsOf(pid: number | undefined): number {
  const [user, kernel] = statusFields(String(pid)).slice(11, 13);
  // Linux counts these ticks in hundredths of a second, whatever the machine.
  return (Number(user) + Number(kernel)) / 100;
}

async function epochSecondsOf(folder: string): Promise<number> {
  const name = (await readdir(folder)).find((file) => file.endsWith('.csv')) ?? 'none';
  const [header = '', ...rows] = (await readFile(join(folder, name), 'utf8')).trimEnd().split('\n');
  const column = header.split(',').indexOf('seconds');
  const seconds = rows.map((row) => Number(row.split(',')[column])).sort((a, b) => a - b);
  return seconds[Math.floor(seconds.length / 2)] ?? Number.NaN;
}
