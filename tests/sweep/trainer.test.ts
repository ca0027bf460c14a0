import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { statusFields } from '#src/process-identity.mjs';
import { starterOf } from '#src/sweep/trainer.js';

test('a trial has a session of its own, but in a job that of the job, which PBS ends', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'deep-cnn-trainer-'));
  const { PBS_JOBID: job } = process.env;
  t.after(() => {
    if (job !== undefined) process.env['PBS_JOBID'] = job;
    rmSync(folder, { recursive: true });
  });
  const [program, answer] = [join(folder, 'program.cjs'), join(folder, 'answer')];
  writeFileSync(
    program,
    `const fs = require('fs');\nfs.writeFileSync(process.argv[2], fs.readFileSync('/proc/self/stat'));\n`,
  );
  const sessionOfTrial = async () => {
    const { code } = await starterOf(program)([answer], {}).ended;
    assert.equal(code, 0);
    return readFileSync(answer, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')[3];
  };
  const own = statusFields('self')[3];
  process.env['PBS_JOBID'] = '1.fake';
  assert.equal(await sessionOfTrial(), own);
  delete process.env['PBS_JOBID'];
  assert.notEqual(await sessionOfTrial(), own);
});
