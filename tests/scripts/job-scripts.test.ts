// Every shell script of the project, by the shell's own check and by shellcheck where that is installed.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const scripts = [
  'submit.pbs',
  'submit.slurm',
  'environment.sh',
  'data_download.sh',
  'scripts/job.sh',
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
