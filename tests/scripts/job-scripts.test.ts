// Every shell script of the project, by the shell's own check and by shellcheck where that is installed; and what the job
// scripts of both schedulers do alike.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
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
