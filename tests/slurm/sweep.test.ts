// A sweep in an array of a real Slurm, on this machine, one of whose jobs is killed, and the other one requeued.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { lackOfOptuna, SweepPlace } from '../sweep/place.js';
import { lackOfSlurm, type SlurmCluster, startSlurm } from './slurm-cluster.js';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const form = process.env['DEEP_CNN_TEST_SLURM'];
const skip = form === undefined ? '`npm run test:slurm` runs it' : (lackOfSlurm() ?? (await lackOfOptuna()));

let slurm: SlurmCluster;
let place: SweepPlace;

before(async () => {
  if (skip !== undefined) return;
  place = new SweepPlace('array', 'method: random\nrun_cap: 8\nparameters:\n  lr: { values: [1e-3, 1e-4, 1e-5] }\n');
  slurm = await startSlurm();
});

after(async () => {
  if (skip !== undefined) return;
  await slurm?.stop();
  place.remove();
});

test('two jobs share a sweep, and what a killed or a requeued one leaves is gone on with', { skip }, async () => {
  const args = [
    ...[`${repository}dist/cli.js`, 'sweep', place.file, '--submit=slurm', '--parallel=2'],
    ...['--mem=1gb', '--cpus=1', '--walltime=20m', `--root_dir=${place.root}`],
    ...[`--data_dir=${repository}tests/places_test_input`, '--model=squeezenet1_1', '--pretrained=False'],
    ...['--epochs=1', '--batch_size=16'],
  ];
  const { root: cwd } = place;
  const id = execFileSync(process.execPath, args, { cwd, env: slurm.env, encoding: 'utf8' }).trim();
  assert.match(id, /^\d+$/);
  const output = (index: number) => {
    const path = join(place.root, `slurm-${id}_${index}.out`);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  };
  await slurm.wait(id, () => [0, 1].every((index) => /^Trial \d/m.test(output(index))));
  slurm.call('scancel', '--signal=KILL', '--full', `${id}_1`);
  // What `#SBATCH --signal=B:USR1@60` has Slurm send.
  slurm.call('scancel', '--batch', '--signal=USR1', `${id}_0`);
  await slurm.wait(id);
  const { trials, attributes } = await place.state();
  assert.deepEqual(
    trials.map(({ state }) => state),
    Array.from({ length: 8 }, () => 'COMPLETE'),
    output(0),
  );
  assert.deepEqual(place.toldTwice(), []);
  assert.match(
    output(0),
    /was stopped by SIGUSR1; [\s\S]*goes on when Slurm starts job \d+_0 again\.[\s\S]*try 2 of 20/,
  );
  assert.match(output(0), /The run array\.sweep-0: finished \(exit code 0\)/);
  assert.equal(attributes.tests?.length, 1);
});
