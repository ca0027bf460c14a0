// What scripts/job.sh does while its command runs, apart from any scheduler.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../../scripts/job.sh', import.meta.url));
/** Ends with 75 at SIGTERM; in the last line the job tells the exit code that it was told. */
const job = `. '${script}'
  job_command=(bash -c 'trap "exit 75" TERM; echo up; while :; do read -rt 10 -u 8; done')
  exec 8<> <(:)
  job_wait
  echo "it ended with $?"`;

test('a signal to a job and its run at once does not hide how the run ended', async () => {
  const end = async () => {
    const child = spawn('bash', ['-c', job], { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (text.includes('up')) process.kill(-(child.pid ?? 0), 'SIGTERM');
    });
    await once(child, 'close');
    return output;
  };
  // It takes some to hit the moment.
  const outputs = await Promise.all(Array.from({ length: 60 }, end));
  assert.deepEqual(new Set(outputs), new Set(['up\nit ended with 75\n']));
});
