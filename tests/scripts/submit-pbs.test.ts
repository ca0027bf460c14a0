// submit.pbs under a stand-in for OpenPBS (fake-pbs.ts tells what it imitates), with a trainer that is one too.
// That it holds on a real one, this can't show.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type FakeCluster, makeFakeCluster } from './fake-pbs.js';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const shipped = readFileSync(join(repository, 'submit.pbs'), 'utf8');

function withCluster(t: TestContext): FakeCluster {
  const cluster = makeFakeCluster();
  t.after(cluster.remove);
  return cluster;
}

const starts = (cluster: FakeCluster) => cluster.calls().filter((line) => line.startsWith('train '));

test('the script has its account lines in lines 10 to 12, no GPU by default and no carriage return', () => {
  const lines = shipped.split('\n');
  for (const [index, name] of ['WB_KEY', 'WB_PROJECT', 'WB_USER'].entries()) {
    assert.match(lines[9 + index] ?? '', new RegExp(`^export ${name}=`));
  }
  const directives = lines.filter((line) => line.startsWith('#PBS'));
  assert.ok(directives.every((line) => !line.includes('gpu')));
  assert.ok(lines.some((line) => line.startsWith('##PBS -lselect=') && line.includes('ngpus=1:gpu_type=')));
  assert.ok(!shipped.includes('\r'));
});

test('by hand, DRY_RUN=1 shows the command and runs nothing', (t) => {
  const { project, calls } = withCluster(t);
  const output = execFileSync('bash', [join(project, 'submit.pbs')], {
    encoding: 'utf8',
    cwd: '/',
    env: { PATH: process.env['PATH'], DRY_RUN: '1', DEEP_CNN_INDEX: '4' },
  });
  assert.match(output, /^node dist\/cli\.js --epochs=1 .*--run_name=hpc_export-4 --seed=4 --resume=auto/);
  assert.deepEqual(calls(), []);
});

describe('submit.pbs', { concurrency: 4 }, () => {
  test('runs once in the folder of its submission, and says where everything lies', async (t) => {
    const cluster = withCluster(t);
    cluster.qsub('submit.pbs');
    await cluster.idle();
    assert.equal(cluster.jobs().length, 1);
    assert.equal(cluster.jobs()[0]?.exitCode, 0, cluster.output());
    assert.match(starts(cluster)[0] ?? '', /--run_name=hpc_export --resume=auto \| .*"cwd":".*the project"/);
    assert.match(
      cluster.output(),
      /The run hpc_export: finished \(exit code 0\) [\s\S]*checkpoints +outputs\/checkpoints\/hpc_export/,
    );
    assert.doesNotMatch(cluster.output(), /\r/);
    assert.match(readFileSync(join(cluster.project, 'deep_cnn.o1'), 'utf8'), /^Job 1\.fake on /);
    assert.equal(readFileSync(join(cluster.project, 'outputs/jobs/1.fake.state'), 'utf8'), 'done\n');
  });

  test('goes on in further jobs until the run is done, with name, walltime and variables, whatever becomes of the file', async (t) => {
    const cluster = withCluster(t);
    cluster.plan({ steps: 50, perJob: 20 });
    cluster.qsub('-N', 'mine', '-v', 'FLAVOUR=vanilla', '-l', 'walltime=01:23:00', 'submit.pbs');
    await cluster.until(() => starts(cluster).length === 1, 'the first job');
    writeFileSync(join(cluster.project, 'submit.pbs'), shipped.replace('hpc_export', 'another'));
    await cluster.until(() => cluster.calls().some((line) => line.startsWith('done')), 'the end');
    await cluster.idle();
    const jobs = cluster.jobs();
    assert.deepEqual(new Set(jobs.map(({ name }) => name)), new Set(['mine']));
    assert.deepEqual(new Set(jobs.map(({ resources }) => resources['walltime'])), new Set(['01:23:00']));
    assert.deepEqual(
      jobs.map(({ exitCode }) => exitCode),
      [75, 75, 0],
      cluster.output(),
    );
    assert.ok(starts(cluster).every((line) => line.includes('--run_name=hpc_export') && line.includes('"vanilla"')));
    assert.ok(cluster.calls().every((line) => !line.startsWith('signal')));
    assert.match(cluster.output(), /try 3 of 20/);
    assert.match(cluster.output(), /Handed in again: this goes on in job 2\.fake\./);
  });

  test('a run that fails is not tried again', async (t) => {
    const cluster = withCluster(t);
    cluster.plan({ exit: 2 });
    cluster.qsub('submit.pbs');
    await cluster.idle();
    assert.deepEqual(
      cluster.jobs().map(({ exitCode }) => exitCode),
      [2],
    );
    assert.match(cluster.output(), /Error: the run ended with code 2 \(see above\), and is not tried again/);
  });

  test('ends after DEEP_CNN_TRIES jobs', async (t) => {
    const cluster = withCluster(t);
    cluster.plan({ perJob: 3 });
    cluster.qsub('-v', 'DEEP_CNN_TRIES=2', 'submit.pbs');
    await cluster.until(() => cluster.jobs().length === 2, 'a second job');
    await cluster.idle();
    assert.equal(cluster.jobs().length, 2);
    assert.match(cluster.output(), /Error: the run is not finished after 2 jobs/);
  });

  test('ends when two jobs in a row came no step further', async (t) => {
    const cluster = withCluster(t);
    cluster.plan({ perJob: 0 });
    cluster.qsub('submit.pbs');
    await cluster.until(() => /two jobs in a row/.test(cluster.output()), 'the error');
    await cluster.idle();
    // The first one made a checkpoint where there was none.
    assert.deepEqual(
      cluster.jobs().map(({ exitCode }) => exitCode),
      [75, 75, 1],
    );
    assert.match(cluster.output(), /came no step further than steps 0, unfinished: give them more walltime/);
  });

  test('qdel: the run is saved, and the job not handed in again', async (t) => {
    const cluster = withCluster(t);
    cluster.plan({ steps: 1e6 });
    const id = cluster.qsub('submit.pbs');
    await cluster.until(() => starts(cluster).length === 1, 'the job');
    cluster.call('qdel', id);
    await cluster.idle();
    // That of the login shell, which TERM ends.
    assert.deepEqual(
      cluster.jobs().map(({ exitCode }) => exitCode),
      [256 + 15],
    );
    assert.match(cluster.calls().at(-1) ?? '', /^signal hpc_export at/);
    assert.equal(readFileSync(join(cluster.project, 'outputs/jobs', `${id}.state`), 'utf8'), 'stopped\n');
    assert.match(cluster.output(), /The job was stopped by SIGTERM, and its run saved; it is not handed in again/);
    // Submitted again, it goes on.
    cluster.plan({ steps: 1 });
    cluster.qsub('submit.pbs');
    await cluster.idle();
    assert.equal(cluster.jobs()[1]?.exitCode, 0);
  });

  test('a TERM that comes after the walltime is no deletion', async (t) => {
    const cluster = withCluster(t);
    cluster.plan({ steps: 1e6 });
    // Any moment is after it, but for two seconds that a TERM may come before it.
    cluster.qsub('-l', 'walltime=00:00:02', '-v', 'DEEP_CNN_TRIES=2', 'submit.pbs');
    for (const number of [1, 2]) {
      await cluster.until(() => starts(cluster).length === number, `job ${number}`);
      cluster.exceedWalltime(`${number}.fake`);
    }
    await cluster.idle();
    assert.ok(cluster.calls().filter((line) => line.startsWith('signal')).length === 2);
    assert.deepEqual(
      cluster.jobs().map(({ exitCode }) => exitCode),
      [-29, -29],
    );
    assert.match(cluster.output(), /PBS: job killed: walltime 3 exceeded limit 2/);
    assert.doesNotMatch(cluster.output(), /not handed in again/);
  });

  test('qrerun: the same job runs from the top and goes on', async (t) => {
    const cluster = withCluster(t);
    cluster.plan({ steps: 1e6 });
    const id = cluster.qsub('submit.pbs');
    await cluster.until(() => starts(cluster).length === 1, 'the job');
    cluster.plan({ steps: 30 });
    cluster.call('qrerun', id);
    await cluster.until(() => starts(cluster).length === 2, 'the second run');
    await cluster.idle();
    const [job, ...others] = cluster.jobs();
    assert.deepEqual([job?.runs, job?.exitCode, others.length], [2, 0, 0]);
  });

  test('in an array each element has a run and a seed of its own, and goes on alone', async (t) => {
    const cluster = withCluster(t);
    cluster.plan({ steps: 30, perJob: 20 });
    const text = shipped.replace('#PBS -j oe', '#PBS -j oe -J 1-3');
    writeFileSync(join(cluster.project, 'submit.pbs'), text);
    assert.equal(cluster.qsub('submit.pbs'), '1[].fake');
    await cluster.until(() => cluster.calls().filter((line) => line.startsWith('done')).length === 3, 'three runs');
    await cluster.idle();
    const ids = cluster.jobs().map(({ id }) => id);
    assert.deepEqual(ids.slice(0, 3), ['1[1].fake', '1[2].fake', '1[3].fake']);
    assert.ok(ids.slice(3).every((id) => !id.includes('[')) && ids.length === 6, cluster.output());
    for (const index of [1, 2, 3]) {
      assert.match(readFileSync(join(cluster.project, `deep_cnn.o1.${index}`), 'utf8'), /^Job 1\[\d\]\.fake on /);
      const own = starts(cluster).filter((line) => line.includes(`--run_name=hpc_export-${index} --seed=${index} `));
      assert.equal(own.length, 2, `${index}: ${cluster.calls().join('\n')}`);
    }
  });

  test('a variable goes along whatever is in its value', async (t) => {
    const cluster = withCluster(t);
    cluster.plan({ steps: 15, perJob: 10 });
    // `text` is a variable of the script's, which qsub does not see.
    cluster.qsub('-v', 'FLAVOUR=mint\\,text=5', 'submit.pbs');
    await cluster.until(() => cluster.calls().some((line) => line.startsWith('done')), 'the end');
    await cluster.idle();
    assert.equal(cluster.jobs().length, 2);
    assert.ok(
      starts(cluster).every((line) => line.includes('"FLAVOUR":"mint,text=5"')),
      cluster.calls().join('\n'),
    );
  });

  test("finds PBS's commands where no profile puts them on PATH", async (t) => {
    const cluster = withCluster(t);
    cluster.plan({ steps: 15, perJob: 10 });
    const top = dirname(cluster.project);
    rmSync(join(top, 'home/.bash_profile'));
    writeFileSync(join(top, 'pbs.conf'), `PBS_SERVER=fake\nPBS_EXEC=${top}\n`);
    appendFileSync(join(cluster.project, 'environment.sh'), `export PBS_CONF_FILE=${top}/pbs.conf\n`);
    cluster.qsub('submit.pbs');
    await cluster.until(() => cluster.calls().some((line) => line.startsWith('done')), 'the end');
    await cluster.idle();
    assert.equal(cluster.jobs().length, 2, cluster.output());
  });

  test('says how to go on where no qsub is', async (t) => {
    const cluster = withCluster(t);
    cluster.plan({ perJob: 3 });
    appendFileSync(
      join(cluster.project, 'environment.sh'),
      'command() { [[ $2 != qsub ]] && builtin command "$@"; }\n',
    );
    cluster.qsub('submit.pbs');
    await cluster.idle();
    assert.equal(cluster.jobs().length, 1);
    assert.match(cluster.output(), /Error: there is no qsub on this node\. To go on, submit it again/);
  });

  test('a job after others begins when the jobs that go on for them have succeeded, and not when one has failed', async (t) => {
    const cluster = withCluster(t);
    cluster.plan({ steps: 30, perJob: 20 });
    const first = cluster.qsub('submit.pbs');
    const second = shipped.replace('hpc_export', 'second').replace('run_job ', `job_after ${first}\nrun_job `);
    writeFileSync(join(cluster.project, 'second.pbs'), second);
    cluster.qsub('-W', `depend=afterany:${first}`, 'second.pbs');
    await cluster.until(() => cluster.calls().includes('done second at 30'), 'the second run');
    await cluster.idle();
    const calls = cluster.calls();
    const begun = calls.findIndex((line) => line.includes('--run_name=second'));
    assert.ok(
      calls.indexOf('done hpc_export at 30') < begun && calls.includes('done hpc_export at 30'),
      calls.join('\n'),
    );

    writeFileSync(join(cluster.project, 'outputs/jobs', `${first}.state`), 'failed with code 1\n');
    const id = cluster.qsub('second.pbs');
    await cluster.idle();
    assert.equal(cluster.jobs().find((job) => job.id === id)?.exitCode, 2);
    assert.match(
      cluster.output(),
      /Error: job 1\.fake, after which this one was to run, ended without success \(failed with code 1\)/,
    );
  });

  test('of a job that leaves no record, PBS knows whether it has succeeded', async (t) => {
    const cluster = withCluster(t);
    for (const code of [0, 3]) {
      writeFileSync(join(cluster.project, 'other'), `exit ${code}\n`);
      const other = cluster.qsub('other');
      writeFileSync(join(cluster.project, 'later.pbs'), shipped.replace('run_job ', `job_after ${other}\nrun_job `));
      cluster.qsub('-W', `depend=afterany:${other}`, 'later.pbs');
    }
    await cluster.idle();
    assert.deepEqual(
      cluster.jobs().map(({ exitCode }) => exitCode),
      [0, 0, 3, 2],
    );
    assert.match(cluster.output(), /Error: job 3\.fake, .*ended without success \(it left no record in /);
  });
});

test('the stand-in refuses what PBS refuses', (t) => {
  const cluster = withCluster(t);
  writeFileSync(join(cluster.project, 'submit.pbs'), shipped.replaceAll('\n', '\r\n'));
  assert.throws(() => cluster.qsub('submit.pbs'), /cr, lf/);
  writeFileSync(
    join(cluster.project, 'submit.pbs'),
    shipped.replace('\n##PBS', '\n#PBS').replace('#PBS -lselect=1:ncpus=2:mem=8gb\n', ''),
  );
  assert.throws(() => cluster.qsub('submit.pbs'), /Unknown resource/);
  assert.ok(!existsSync(join(cluster.project, 'calls')));
});
