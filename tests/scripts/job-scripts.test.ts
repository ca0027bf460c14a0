// Every shell script of the project, by the shell's own check and by shellcheck where that is installed; and what the job
// scripts of both schedulers do alike.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeFakeCluster } from './fake-pbs.js';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const scripts = [
  'submit.pbs',
  'submit.slurm',
  'environment.sh',
  'data_download.sh',
  'scripts/job.sh',
  'tests/install-packages.sh',
  'tests/page/install.sh',
  'tests/slurm/install.sh',
];
const lacksShellcheck = spawnSync('shellcheck', ['--version']).error !== undefined && 'shellcheck is not installed';

test('bash reads the scripts, which have no carriage returns', () => {
  for (const name of scripts) {
    const { status, stderr } = spawnSync('bash', ['-n', name], { cwd: repository, encoding: 'utf8' });
    assert.deepEqual([name, status, stderr], [name, 0, '']);
    assert.ok(!readFileSync(join(repository, name), 'utf8').includes('\r'), name);
  }
});

test('shellcheck finds nothing in them', { skip: lacksShellcheck }, () => {
  const { status, stdout } = spawnSync('shellcheck', ['-x', ...scripts], { cwd: repository, encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});

for (const name of ['submit.pbs', 'submit.slurm']) {
  test(`${name}: a key in line 10, or in the environment, turns Weights & Biases on, and stands in no command`, (t) => {
    const { project, remove } = makeFakeCluster();
    t.after(remove);
    const shipped = readFileSync(join(repository, name), 'utf8');
    assert.match(shipped.split('\n')[9] ?? '', /^export WB_KEY=/);
    const command = (text: string, env: Record<string, string> = {}) => {
      writeFileSync(join(project, name), text);
      return execFileSync('bash', [join(project, name)], {
        encoding: 'utf8',
        env: { PATH: process.env['PATH'], DRY_RUN: '1', ...env },
      });
    };
    assert.match(command(shipped), / --wandb=False /);
    const filledIn = shipped.replace(/^export WB_KEY=.*$/m, 'export WB_KEY="0123abcd"');
    const withKey = [command(filledIn), command(shipped, { WB_KEY: '0123abcd' })];
    for (const text of [...withKey, command(shipped, { WANDB_API_KEY: '0123abcd' })]) {
      assert.match(text, / --wandb=True /);
      assert.doesNotMatch(text, /0123abcd/);
    }
  });
}

/** Runs lines of bash in a folder of their own, job.sh being there; returns the exit code, what was printed, the folder. */
function withJobScript(t: TestContext, lines: string, env: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-job-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'qstat'), '#!/bin/sh\n[ "$3" = 8 ] && echo "    Exit_status = 0"\n', { mode: 0o755 });
  const { status, stdout } = spawnSync('bash', ['-c', `. '${repository}scripts/job.sh'\n${lines}`], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: `${folder}:${process.env['PATH']}`, ...env },
  });
  return { folder, status, stdout };
}

test('run_once runs a command as it is, and leaves a record of how it ended', (t) => {
  const run = (command: string) => {
    const { folder, status, stdout } = withJobScript(t, `run_once ${command}`, { PBS_JOBID: '7.server', NCPUS: '3' });
    return [status, stdout.split('\n')[1], readFileSync(join(folder, 'outputs/jobs/7.server.state'), 'utf8')];
  };
  assert.deepEqual(run(`bash -c 'echo "$TF_NUM_INTRAOP_THREADS $*"' _ --run=a`), [0, '3 --run=a', 'done\n']);
  assert.deepEqual(run(`bash -c 'exit 2'`), [2, '', 'failed with code 2\n']);
});

test('a job that another one waits for is known by its record, without the server’s name, too, or by PBS', (t) => {
  const lines = `mkdir -p outputs/jobs; echo done >'outputs/jobs/6.server.state'; echo stopped >'outputs/jobs/7[1].server.state'
    for id in 6.server 6 '7[1]' 8 9; do echo "$id: $(job_state "$id")"; done`;
  const { stdout } = withJobScript(t, lines);
  assert.deepEqual(stdout.trim().split('\n'), ['6.server: done', '6: done', '7[1]: stopped', '8: done', '9:']);
});
