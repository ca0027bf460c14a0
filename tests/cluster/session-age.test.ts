import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { sessionAgeMs } from '#src/cluster/session-age.js';

const module = new URL(import.meta.resolve('#src/cluster/session-age.js')).href;
const printAge = `import('${module}').then((m) => console.log(JSON.stringify([m.sessionAgeMs(), performance.now()])))`;

test('the age is that of the session, not of the process', () => {
  // setsid runs the shell as a new session's leader, as a scheduler does with a job's script.
  const script = `sleep 1.5; "${process.execPath}" -e "${printAge}"; exit`;
  const { stdout, stderr } = spawnSync('setsid', ['--wait', 'sh', '-c', script], { encoding: 'utf8' });
  const [ageMs, ownMs]: [number, number] = JSON.parse(stdout || '[0, 0]');
  assert.ok(ageMs - ownMs > 1400 && ageMs - ownMs < 60_000, `${stdout}${stderr}`);
});

test('the age is at least that of the process', () => {
  const ownMs = performance.now();
  assert.ok(sessionAgeMs() >= ownMs);
});
