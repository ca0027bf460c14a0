// Sweeps of the program itself at Weights & Biases, by a server on this machine. `npm run test:sweep` runs them.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { start } from '../faults/program.js';
import { apiKey, startWandbServer, type WandbServer } from '../reporting/wandb-server.js';
import { lackOfOptuna, SweepPlace } from './place.js';

const data = join(import.meta.dirname, '../../../tests/places_test_input');
const isFull = process.env['DEEP_CNN_TEST_SWEEP'] === 'full';
const skip = isFull ? ((await lackOfOptuna()) ?? false) : '`npm run test:sweep` runs it';

const epochs = 3;
const yaml = `method: grid
parameters:
  model: { value: squeezenet1_1 }
  pretrained: { value: False }
  batch_size: { value: 16 }
  epochs: { value: ${epochs} }
  lr: { values: [1e-3, 1e-4] }
`;

test('trials are runs of the sweep’s group, each epoch once, also where the sweep was stopped', { skip }, async (t) => {
  const { place, server, sweep } = await sweepAt(t);
  const first = sweep();
  await server.until(() => (server.runs.get('me/streets/both-0')?.history.length ?? 0) > 0);
  first.child.kill('SIGTERM');
  assert.equal((await first.ended).code, 75);
  const { code, output } = await sweep().ended;
  assert.equal(code, 0, output);
  await requireTrials(place, server);
});

test('trials that were recorded offline arrive the same way', { skip }, async (t) => {
  const { place, server, program, sweep } = await sweepAt(t, { WANDB_MODE: 'offline' });
  const { code, output } = await sweep().ended;
  assert.equal(code, 0, output);
  assert.equal(server.requests.length, 0);
  const sync = await program('wandb', 'sync', 'both-0', 'both-1').ended;
  assert.equal(sync.code, 0, sync.output);
  await requireTrials(place, server);
});

async function sweepAt(t: TestContext, mode: Readonly<Record<string, string>> = {}) {
  const server = await startWandbServer(t);
  const place = new SweepPlace('both', yaml);
  t.after(() => place.remove());
  const account = { WB_KEY: apiKey, WB_PROJECT: 'streets', WB_USER: 'me', WANDB_BASE_URL: server.baseUrl };
  const program = (...words: string[]) =>
    start([...words, `--root_dir=${place.root}`], { env: { ...account, ...mode } });
  const sweep = () => program('sweep', place.file, '--wandb', `--data_dir=${data}`);
  return { place, server, program, sweep };
}

async function requireTrials(place: SweepPlace, server: WandbServer): Promise<void> {
  const { trials } = await place.state();
  assert.deepEqual([...server.runs.keys()].sort(), ['me/streets/both-0', 'me/streets/both-1']);
  for (const { number, state, params, value, attributes } of trials) {
    assert.equal(state, 'COMPLETE');
    const run = server.runs.get(`me/streets/both-${number}`);
    assert.ok(run);
    assert.deepEqual([run.group, run.displayName, run.state, run.exitCode], ['both', `both-${number}`, 'finished', 0]);
    assert.deepEqual(run.config['lr'], { value: params['lr'] });
    assert.deepEqual(run.config['model'], { value: 'squeezenet1_1' });
    assert.deepEqual(
      run.history.map((row) => row['_step']),
      Array.from({ length: epochs }, (_, index) => index + 1),
    );
    assert.equal(run.history[(attributes.epoch ?? 0) - 1]?.['loss_val'], value);
  }
}
