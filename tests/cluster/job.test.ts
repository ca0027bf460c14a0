import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeJob } from '#src/cluster/job.js';

const cases: { what: string; env: NodeJS.ProcessEnv; job: ReturnType<typeof describeJob> }[] = [
  { what: 'no job', env: { PATH: '/bin' }, job: undefined },
  {
    what: 'a Slurm job',
    env: { SLURM_JOB_ID: '4711' },
    job: { scheduler: 'slurm', id: '4711', arrayIndex: undefined, title: 'Slurm job 4711' },
  },
  {
    what: "the element of a Slurm array that bears the array's number",
    env: { SLURM_JOB_ID: '4711', SLURM_ARRAY_JOB_ID: '4711', SLURM_ARRAY_TASK_ID: '0' },
    job: { scheduler: 'slurm', id: '4711_0', arrayIndex: 0, title: 'Slurm job 4711_0' },
  },
  {
    what: 'an OpenPBS job',
    env: { PBS_JOBID: '12.server-1.example.org' },
    job: {
      scheduler: 'pbs',
      id: '12.server-1.example.org',
      arrayIndex: undefined,
      title: 'PBS job 12.server-1.example.org',
    },
  },
  {
    what: 'an element of an OpenPBS array',
    env: { PBS_JOBID: '12[3].pbs', PBS_ARRAY_INDEX: '3' },
    job: { scheduler: 'pbs', id: '12[3].pbs', arrayIndex: 3, title: 'PBS job 12[3].pbs' },
  },
  {
    what: 'an element of a Torque array',
    env: { PBS_JOBID: '12-3.torque', PBS_ARRAYID: '3' },
    job: { scheduler: 'pbs', id: '12-3.torque', arrayIndex: 3, title: 'PBS job 12-3.torque' },
  },
  { what: 'an id that would be an option', env: { PBS_JOBID: '-x' }, job: undefined },
  { what: 'an id that would be a command', env: { PBS_JOBID: '1.a;reboot' }, job: undefined },
  { what: 'a Slurm id that is none', env: { SLURM_JOB_ID: '--help' }, job: undefined },
  { what: 'empty ids', env: { PBS_JOBID: '', SLURM_JOB_ID: '' }, job: undefined },
];

for (const { what, env, job } of cases) {
  test(`${what} is described`, () => assert.deepEqual(describeJob(env), job));
}
