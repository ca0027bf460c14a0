import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SweepPlace } from './place.js';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const place = new SweepPlace('first try', 'method: random\nrun_cap: 3\nparameters:\n  lr: { values: [0.1, 0.01] }\n');
after(() => place.remove());

it('submits an array whose jobs all run the same sweep', () => {
  const args = [
    '--parallel=3',
    '--walltime=2h',
    '--epochs=4',
    '--run_cap=5',
    '--gpus=1',
    '--after=7.server',
    '--dry_run',
  ];
  const words = [join(repository, 'dist/cli.js'), 'sweep', place.file, `--root_dir=${place.root}`, ...args];
  const data = `--data_dir=${join(place.root, 'data')}`;
  const script = execFileSync(process.execPath, [...words, data, '--submit=pbs'], { encoding: 'utf8' });
  const copy = join(place.root, 'outputs/sweeps/first try/first try.yaml');
  assert.match(script, /^#PBS -N first_try$/m);
  assert.match(script, /^#PBS -J 0-2$/m);
  assert.match(script, /^#PBS -lselect=1:ncpus=2:mem=8gb:ngpus=1$/m);
  assert.match(script, /^# The sweep: .*\n# .*\nrun_sweep /m);
  assert.doesNotMatch(script, /run_name/);
  assert.match(script, /^job_after 7\.server$/m);
  const command = script.slice(script.indexOf('\nrun_sweep') + 1);
  assert.ok(
    command.startsWith(`run_sweep 'first try' node ${join(repository, 'dist/cli.js')} sweep '${copy}'`),
    command,
  );
  for (const option of [data, '--epochs=4', '--run_cap=5', `--root_dir=${place.root}`]) {
    assert.equal(command.split(option).length, 2, `${option} in ${command}`);
  }
  assert.doesNotMatch(command, /submit|parallel|walltime|after/);
});

it('takes options of jobs for jobs only', () => {
  const words = [join(repository, 'dist/cli.js'), 'sweep', place.file, '--parallel=2', `--data_dir=${place.root}`];
  const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  assert.equal(status, 2);
  assert.equal(stderr, 'deep-cnn: --parallel is for jobs. Submit the sweep with --submit, or leave it out.\n');
});

it('runs it as it is in each of them, and asks the sweep how far it is', () => {
  const script = `. scripts/job.sh
    job_find_scheduler() { :; }
    export DEEP_CNN_INDEX=2
    job_sweep=first job_read_command node cli.js sweep a.yaml --root_dir=/x --storage=u
    run_program() { echo "$@"; }
    job_program=(run_program)
    job_sweep=first job_progress
    printf '%s\\n' "$job_run" "$job_root" "\${job_command[*]}"`;
  const output = execFileSync('bash', ['-c', script], { cwd: repository, encoding: 'utf8' });
  assert.deepEqual(output.trim().split('\n'), [
    'sweep progress first --storage=u --root_dir=/x',
    'first.sweep-2',
    '/x',
    'node cli.js sweep a.yaml --root_dir=/x --storage=u',
  ]);
});
