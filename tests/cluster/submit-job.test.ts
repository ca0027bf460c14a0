import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { arraySize, directives, elementIds, jobName } from '#src/cluster/job-resources.js';
import { findScheduler, jobsToAwait, submitJob } from '#src/cluster/submit-job.js';

test('the scheduler is the one whose program is on PATH; Slurm where both are', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-path-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [pbs, slurm] = [join(folder, 'pbs'), join(folder, 'slurm')];
  for (const path of [pbs, slurm]) mkdirSync(path);
  writeFileSync(join(pbs, 'qsub'), '', { mode: 0o755 });
  writeFileSync(join(slurm, 'sbatch'), '', { mode: 0o644 });
  assert.equal(findScheduler({ PATH: `${slurm}:${pbs}` }), 'pbs');
  rmSync(join(slurm, 'sbatch'));
  writeFileSync(join(slurm, 'sbatch'), '', { mode: 0o755 });
  assert.equal(findScheduler({ PATH: `${pbs}:${slurm}` }), 'slurm');
  assert.equal(findScheduler({ PATH: folder }), undefined);
  assert.equal(findScheduler({}), undefined);
});

test('a scheduler that is not there, or says nothing, is a mistake to tell', async () => {
  const job = { path: '/x.pbs', after: undefined };
  await assert.rejects(submitJob('pbs', job, { env: { PATH: '/nowhere' } }), /there is no qsub/);
  await assert.rejects(submitJob('slurm', job, { run: async () => ({ output: '\n' }) }), /printed no identifier/);
});

test('the elements of an array are those that qstat tells', async () => {
  assert.deepEqual(elementIds('9[].server', '0-4:2,7'), ['9[0].server', '9[2].server', '9[4].server', '9[7].server']);
  assert.deepEqual(await jobsToAwait('pbs', '9.server', { run: async () => assert.fail('asks nobody') }), ['9.server']);
  const run = async () => ({ failure: 'there is no qstat' });
  await assert.rejects(
    jobsToAwait('pbs', '9[].server', { run }),
    /elements of the array 9\[\]\.server: found there is no qstat/,
  );
});

test('arrays are ranges of at least two', () => {
  const sizes = ['1-3', '0-4:2', '0-9%2', '0-4:2%1', '3-3', '3-1', '1', '1,2', '1-3:0', '-1-3'].map(arraySize);
  assert.deepEqual(sizes, [3, 3, 10, 3, undefined, undefined, undefined, undefined, undefined, undefined]);
});

test('names, times and memory are written as schedulers read them', () => {
  assert.deepEqual(['a b', '1st', 'v1.2', 'x'.repeat(99), 'é'].map(jobName), [
    'a_b',
    'run_1st',
    'v1_2',
    'x'.repeat(60),
    'run__',
  ]);
  const request = {
    name: 'n',
    walltimeSeconds: 360_061.5,
    cpus: 1,
    memoryMegabytes: 500,
    gpus: 0,
    gpuType: undefined,
    array: '0-4:2%1',
    queue: undefined,
    account: 'a',
  };
  const select = '#PBS -lselect=1:ncpus=1:mem=500mb';
  const pbs = ['#PBS -N n', '#PBS -lwalltime=100:01:02', select, '#PBS -j oe', '#PBS -J 0-4:2%1', '#PBS -A a'];
  assert.deepEqual(directives('pbs', request), pbs);
  assert.ok(directives('slurm', request).includes('#SBATCH --ntasks=1 --cpus-per-task=1 --mem=500M'));
});
