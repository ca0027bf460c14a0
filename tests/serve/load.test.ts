import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runLoad } from './load.js';
import { loadCase } from './load-case.js';

test('`deep-cnn serve` under load answers each request as it should, and stops when told', async (t) => {
  const { plan, remove } = await loadCase();
  t.after(remove);
  const { mistakes, answers, errors, exitCode } = await runLoad({ ...plan, clients: 16, seconds: 3 });
  assert.deepEqual(mistakes, []);
  assert.ok((answers['good']?.[200] ?? 0) > 0);
  assert.equal(errors, '');
  assert.equal(exitCode, 0);
});
