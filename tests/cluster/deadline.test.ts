import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { findDeadline, watchDeadline } from '#src/cluster/deadline.js';
import { sessionAgeMs } from '#src/cluster/session-age.js';
import { makeFakeScheduler } from './fake-scheduler.js';

const scheduler = makeFakeScheduler();
/** 12:00:00 on 24 November 2026 where this runs, since qstat prints local times. */
const wallMs = new Date(2026, 10, 24, 12, 0, 0).getTime();
/** The process has run for 5 s. */
const clocks = { wallMs: () => wallMs, nowMs: () => 5000 };
const slurm = { ...scheduler.env, SLURM_JOB_ID: '7' };
const pbs = { ...scheduler.env, PBS_JOBID: '12.server' };

const find = (env: NodeJS.ProcessEnv, timeLimitSeconds?: number) => findDeadline({ timeLimitSeconds, env, ...clocks });

/** A walltime of a thousand hours is counted from the start of this process's session. */
async function assertCountsFromSession(env: NodeJS.ProcessEnv): Promise<void> {
  const leftMs = () => 3_600_000_000 - sessionAgeMs();
  const before = leftMs();
  const { deadline } = await find(env);
  const found = (deadline?.atMs ?? 0) - 5000;
  assert.ok(found <= before + 1000 && found >= leftMs() - 1000, `${found} ms`);
}

test('without a job and a limit there is no deadline', async () => {
  assert.deepEqual(await find(scheduler.env), { deadline: undefined, warning: undefined });
});

for (const [seconds, words] of [
  [7200, '2h'],
  [5400, '1h30m'],
  [20, '20s'],
  [129_600, '1d12h'],
  [0.2, '0.2s'],
] as const) {
  test(`a time limit of ${words} counts from the start of the process`, async () => {
    const { deadline } = await find(scheduler.env, seconds);
    assert.deepEqual(deadline, {
      atMs: seconds * 1000,
      source: `the time limit of ${words}`,
    });
  });
}

const hour = 3600;
for (const [said, seconds] of [
  ['1-02:03:04', 86_400 + 2 * hour + 184],
  ['10:00:00', 10 * hour],
  ['9:59', 599],
  ['45', 45],
  ['0:00', 0],
  ['-1:30', -90],
  // Parts of one job: the earliest end counts.
  ['2:00:00\n1:00:00', hour],
] as const) {
  test(`squeue's ${said.replace('\n', ' and ')} is ${seconds} s`, async () => {
    scheduler.print('squeue', said);
    const { deadline, warning } = await find(slurm);
    assert.deepEqual(deadline, {
      atMs: 5000 + seconds * 1000,
      source: 'the time limit of Slurm job 7',
    });
    assert.equal(warning, undefined);
  });
}

test('squeue is asked for the element of an array, and for nothing else', async () => {
  scheduler.write('squeue', '[ "$*" = "-h -j 7_3 -o %L" ] && echo 1:00');
  const env = { ...slurm, SLURM_JOB_ID: '9', SLURM_ARRAY_JOB_ID: '7', SLURM_ARRAY_TASK_ID: '3' };
  assert.equal((await find(env)).deadline?.atMs, 65_000);
});

test('a Slurm job without a limit has no deadline, and no warning', async () => {
  scheduler.print('squeue', 'UNLIMITED');
  assert.deepEqual(await find(slurm), { deadline: undefined, warning: undefined });
});

test("the environment's end of a Slurm job needs no squeue", async () => {
  scheduler.write('squeue', 'exit 1');
  const end = wallMs / 1000 + 60;
  const env = { ...slurm, SLURM_JOB_END_TIME: String(end) };
  const { deadline } = await find(env);
  assert.deepEqual(deadline, { atMs: 65_000, source: 'the time limit of Slurm job 7' });
});

/** As OpenPBS 23 prints it, shortened, with a long value that goes on after a tab. */
const openPbs = (...lines: string[]) => `Job Id: 12.server
    Job_Name = train
    Job_Owner = someone@login
    job_state = R
    queue = gpu
    ctime = Tue Nov 24 11:00:00 2026
    Hold_Types = n
${lines.map((line) => `    ${line}\n`).join('')}    substate = 42
    Variable_List = PBS_O_HOME=/home/someone,PBS_O_LANG=C.UTF-8,PBS_O_PATH=/usr/l
\tocal/bin:/usr/bin:/bin,PBS_O_SHELL=/bin/bash,TEXT=stime = Tue Nov 24 11:59:59
\t 2026
    project = _pbs_project_default
`;

const torque = `Job Id: 12.server
    Job_Name = train
    resources_used.walltime = 00:09:30
    job_state = R
    Resource_List.walltime = 01:00:00
    start_time = Tue Nov 24 11:50:00 2026
    Walltime.Remaining = 2990
    start_count = 1
`;

for (const [what, text, leftSeconds] of [
  ['stime', openPbs('Resource_List.walltime = 01:00:00', 'stime = Tue Nov 24 11:50:00 2026'), 3000],
  [
    'stime of the last start, though the time used counts the one before too',
    openPbs(
      'resources_used.walltime = 00:58:00',
      'Resource_List.walltime = 01:00:00',
      'stime = Tue Nov 24 11:59:00 2026',
    ),
    3540,
  ],
  [
    'the time used where the clocks of server and node differ by a day',
    openPbs(
      'resources_used.walltime = 00:09:00',
      'Resource_List.walltime = 01:00:00',
      'stime = Mon Nov 23 11:50:00 2026',
    ),
    3060,
  ],
  [
    'the time used without stime',
    openPbs('resources_used.walltime = 00:00:04', 'Resource_List.walltime = 00:00:20'),
    16,
  ],
  [
    'a clock that is seconds behind',
    openPbs('Resource_List.walltime = 00:01:00', 'stime = Tue Nov 24 12:00:03 2026'),
    60,
  ],
  ['walltimes above a day', openPbs('Resource_List.walltime = 72:00:00', 'stime = Mon Nov 23 12:00:00 2026'), 172_800],
  [
    'CRLF line ends',
    openPbs('Resource_List.walltime = 01:00:00', 'stime = Tue Nov 24 11:50:00 2026').replaceAll('\n', '\r\n'),
    3000,
  ],
  ["Torque's remaining seconds", torque, 2990],
] as const) {
  test(`qstat: ${what}`, async () => {
    scheduler.print('qstat', text);
    const { deadline, warning } = await find(pbs);
    assert.deepEqual(deadline, {
      atMs: 5000 + leftSeconds * 1000,
      source: 'the walltime of PBS job 12.server',
    });
    assert.equal(warning, undefined);
  });
}

test('a PBS job without a walltime has no deadline', async () => {
  scheduler.print('qstat', openPbs('stime = Tue Nov 24 11:50:00 2026'));
  assert.deepEqual(await find(pbs), { deadline: undefined, warning: undefined });
});

for (const [what, text] of [
  ['qstat says neither start nor use', openPbs('Resource_List.walltime = 1000:00:00')],
  [
    'qstat shows the whole array',
    openPbs('Resource_List.walltime = 1000:00:00', 'stime = Mon Nov 23 12:00:00 2026').replace('= R', '= B'),
  ],
] as const) {
  test(`the walltime counts from the start of the job's script when ${what}`, async () => {
    scheduler.print('qstat', text);
    await assertCountsFromSession(pbs);
  });
}

test("Torque's PBS_WALLTIME stands in for qstat", async () => {
  scheduler.write('qstat', 'echo "qstat: cannot connect to server" >&2; exit 1');
  await assertCountsFromSession({ ...pbs, PBS_WALLTIME: '3600000' });
});

for (const [what, env, name, body, reason] of [
  [
    'fails',
    slurm,
    'squeue',
    'echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1',
    'squeue failed: slurm_load_jobs error: Invalid job id specified',
  ],
  ['is killed', slurm, 'squeue', 'kill -9 $$', 'squeue failed: SIGKILL'],
  ['prints nothing', slurm, 'squeue', ':', 'squeue knows no such job'],
  ['prints INVALID', slurm, 'squeue', 'echo INVALID', 'squeue says INVALID'],
  ['prints NOT_SET', slurm, 'squeue', 'echo NOT_SET', 'squeue says NOT_SET'],
  ['prints garbage', slurm, 'squeue', "printf '\\0\\377 1:2:3:4:5\\n'", /^squeue says /],
  [
    'fails',
    pbs,
    'qstat',
    'echo "qstat: Unknown Job Id 12.server" >&2; exit 153',
    'qstat failed: qstat: Unknown Job Id 12.server',
  ],
  ['fails silently', pbs, 'qstat', 'exit 3', 'qstat failed: exit code 3'],
  ['prints garbage', pbs, 'qstat', 'echo "<html>"', 'qstat printed no job'],
] as const) {
  test(`${name} that ${what} is a warning`, async () => {
    scheduler.write(name, body);
    const { deadline, warning = '' } = await find(env);
    assert.equal(deadline, undefined);
    const said =
      /^The (?:time limit of Slurm job 7|walltime of PBS job 12\.server) is unknown \((.*)\): give --time_limit to stop in time\.$/.exec(
        warning,
      )?.[1];
    if (typeof reason === 'string') assert.equal(said, reason);
    else assert.match(said ?? '', reason);
    // Whoever gave a limit needs no advice.
    const own = await find(env, 60);
    assert.deepEqual([own.deadline?.atMs, own.warning], [60_000, undefined]);
  });
}

test('a scheduler without its programs is a warning', async () => {
  const { warning } = await findDeadline({ timeLimitSeconds: undefined, env: { ...slurm, PATH: '/nowhere' } });
  assert.match(warning ?? '', /\(there is no squeue\)/);
});

test('of the time limit and the end of the job the earlier counts', async () => {
  scheduler.print('squeue', '1:00');
  assert.equal((await find(slurm, 66)).deadline?.source, 'the time limit of Slurm job 7');
  assert.equal((await find(slurm, 64)).deadline?.source, 'the time limit of 1m4s');
});

test('the scheduler is asked again, and without an answer its last one stands', async () => {
  scheduler.print('squeue', '1:00');
  const end = String(wallMs / 1000 + 30);
  const env = { ...slurm, SLURM_JOB_END_TIME: end };
  const watched = await watchDeadline({ timeLimitSeconds: 100, env, ...clocks }, { everyMs: 20 });
  const until = async (atMs: number) => {
    const endMs = performance.now() + 300_000;
    while (watched.current()?.atMs !== atMs && performance.now() < endMs) await sleep(10);
    assert.equal(watched.current()?.atMs, atMs);
  };
  assert.equal(watched.deadline?.atMs, 35_000);
  await until(65_000);
  scheduler.print('squeue', '0:10');
  await until(15_000);
  scheduler.write('squeue', 'exit 1');
  await sleep(200);
  await until(15_000);
  scheduler.print('squeue', 'UNLIMITED');
  await until(100_000);
  watched.close();
  scheduler.print('squeue', '0:01');
  await sleep(200);
  assert.equal(watched.current()?.atMs, 100_000);
});
