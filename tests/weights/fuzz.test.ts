import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { fuzz } from './fuzz/fuzz.js';

// `npm run test:fuzz` reads 10,000.
test('500 files with broken headers are refused or read soundly, soon and within bounds', async () => {
  const report = await fuzz({ seed: 20_000_000, count: 500 });
  assert.deepEqual(report.failures, []);
  assert.equal(report.refused + report.read, 500);
  // Were every file refused, or none, the mutations would not be worth much.
  assert.ok(report.read > 10 && report.refused > 250, `${report.read} read, ${report.refused} refused`);
  assert.ok(report.complaints.size > 30, `${report.complaints.size} kinds of complaint`);
  assert.ok(report.grownBytes < 256 * 2 ** 20, `memory grew by ${report.grownBytes} bytes`);
  assert.ok(!existsSync('pickle-was-run'));
});
