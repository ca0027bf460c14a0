// The short form of the suite: a few cases of each kind. `npm run test:faults` is the whole of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runSuite } from './scenarios.js';

test('runs that are killed, stopped and damaged end as if nothing had been', async () => {
  const lines: string[] = [];
  const { failed, passed } = await runSuite({
    seed: 1,
    jobs: 2,
    only: ['kills', 'saves', 'damage'],
    count: 1,
    print: (line) => lines.push(line),
  });
  assert.equal(failed, 0, lines.join('\n'));
  assert.ok(passed > 0, lines.join('\n'));
});
