// Training in jobs of a real Slurm, on this machine. `npm run test:slurm` runs the full form, with a limit of one minute
// and some minutes in all; CI a short one, in which a signal stops the run.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { lackOfSlurm, type SlurmCluster, startSlurm } from './slurm-cluster.js';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const form = process.env['DEEP_CNN_TEST_SLURM'];
const skip = form === undefined ? '`npm run test:slurm` runs it' : lackOfSlurm();
const isFull = form === 'full';

let slurm: SlurmCluster;
let root: string;

before(async () => {
  if (skip !== undefined) return;
  root = mkdtempSync(join(tmpdir(), 'deep-cnn-jobs-'));
  slurm = await startSlurm();
});

after(async () => {
  if (skip !== undefined) return;
  await slurm?.stop();
  rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
});

const recipe = [
  `--data_dir=${repository}tests/places_test_input`,
  '--model=squeezenet1_1',
  '--pretrained=False',
  '--batch_size=16',
  '--lr=1e-4',
  '--deterministic=True',
];

/** Submits with `deep-cnn submit`, from the root folder, where the output files appear. Returns the job's identifier. */
function submit(...options: string[]): string {
  const env = { ...slurm.env, DEEP_CNN_TRIES: '50' };
  const args = [
    `${repository}dist/cli.js`,
    'submit',
    `--root_dir=${root}`,
    '--mem=1gb',
    '--cpus=1',
    ...recipe,
    ...options,
  ];
  return execFileSync(process.execPath, args, {
    cwd: root,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

const output = (name: string) => {
  const path = join(root, `slurm-${name}.out`);
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
};
const recorded = (id: string) => readFileSync(join(root, 'outputs/jobs', `${id}.state`), 'utf8').trim();

/** The bytes of all tensors: what comes after the header, which tells names, shapes and metadata. */
function tensors(run: string): Buffer {
  const bytes = readFileSync(join(root, 'outputs/models', `${run}.safetensors`));
  return bytes.subarray(8 + Number(bytes.readBigUInt64LE(0)));
}

function table(run: string): string {
  const folder = join(root, 'outputs/results');
  const name = readdirSync(folder).find((name) => name.startsWith(`${run}2`));
  return readFileSync(join(folder, name ?? 'missing'), 'utf8');
}

test('a run that is stopped is requeued, goes on, and ends like one that never stopped', { skip }, async () => {
  // In the full form enough for more than one minute of one processor.
  const epochs = isFull ? 150 : 16;
  const whole = submit('--run_name=whole', `--epochs=${epochs}`, '--walltime=1h');
  const stopped = submit('--run_name=stopped', `--epochs=${epochs}`, `--walltime=${isFull ? '1m' : '1h'}`);
  assert.match(stopped, /^\d+$/);
  if (!isFull) {
    await slurm.wait(stopped, () => output(stopped).includes('Epoch: 1 '));
    // What `#SBATCH --signal=B:USR1@60` has Slurm send.
    slurm.call('scancel', '--batch', '--signal=USR1', stopped);
  }
  for (const id of [whole, stopped]) await slurm.wait(id, undefined, 1800);
  const said = output(stopped);
  assert.match(output(whole), /The run whole: finished \(exit code 0\)/);
  assert.match(said, isFull ? /Stopped by the time limit of Slurm job/ : /Stopped by SIGUSR1 after step/);
  assert.match(
    said,
    /try 1 of 50: [\s\S]*goes on when Slurm starts job \d+ again[\s\S]*try 2 of 50: [\s\S]*Resumed from/,
  );
  assert.match(said, /The run stopped: finished \(exit code 0\)/);
  assert.doesNotMatch(said, /\r|SIGTERM|DUE TO TIME LIMIT/);
  assert.equal(recorded(stopped), 'done');
  assert.ok(tensors('whole').equals(tensors('stopped')), 'the networks differ');
  assert.equal(table('whole'), table('stopped'));
});

test('an array of three: each element is a run of its own', { skip }, async () => {
  const id = submit('--run_name=three', '--epochs=1', '--walltime=10m', '--array=1-3');
  await slurm.wait(id);
  for (const index of [1, 2, 3]) {
    assert.match(output(`${id}_${index}`), new RegExp(`The run three-${index}: finished \\(exit code 0\\)`));
    assert.equal(recorded(`${id}_${index}`), 'done');
  }
  // Each has its index as seed.
  assert.ok(!tensors('three-1').equals(tensors('three-2')));
});

test('scancel: the run is saved, and the job does not come back', { skip }, async () => {
  const id = submit('--run_name=cancelled', '--epochs=1000', '--walltime=10m');
  await slurm.wait(id, () => output(id).includes('Epoch: 2 '));
  const waiting = submit('--run_name=waiting', '--epochs=1', '--walltime=10m', `--after=${id}`);
  assert.deepEqual(slurm.states(waiting), ['PENDING']);
  slurm.call('scancel', id);
  await slurm.wait(id);
  assert.match(output(id), /Stopped by SIGTERM after step \d+, saved to/);
  assert.match(output(id), /The job was stopped by SIGTERM, and its run saved; it is not handed in again/);
  assert.deepEqual(slurm.states(id), []);
  slurm.call('scancel', waiting);
});

test('submit.slurm runs from the folder of its submission, edited as a student would', { skip }, async () => {
  const script = readFileSync(join(repository, 'submit.slurm'), 'utf8')
    .replace('input/places365standard_easyformat/places365_standard', 'tests/places_test_input')
    .replace('--model=resnet18', '--model=squeezenet1_1 --pretrained=False')
    .replace('--run_name=hpc_export', `--run_name=by-hand --root_dir=${root}`)
    .replace('--mem=8G', '--mem=1G');
  mkdirSync(join(root, 'scripts'));
  const path = join(root, 'scripts/submit.slurm');
  writeFileSync(path, script);
  const options = ['--parsable', `--chdir=${repository}`, `--output=${root}/slurm-%j.out`, path];
  const id = execFileSync('sbatch', options, { cwd: repository, env: slurm.env, encoding: 'utf8' }).trim();
  await slurm.wait(id);
  // The record of how the job ended is in the folder of its submission.
  rmSync(join(repository, 'outputs/jobs', `${id}.state`));
  assert.match(output(id), /The run by-hand: finished \(exit code 0\)/);
  assert.ok(existsSync(join(root, 'outputs/models/by-hand.safetensors')));
});
