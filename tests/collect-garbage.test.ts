import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { collectGarbage } from '#src/collect-garbage.js';

test('what is unreachable is freed, what is not stays', async () => {
  const kept = { text: 'kept' };
  const references = [new WeakRef(kept), new WeakRef({ text: 'left' })];
  // A reference keeps its object until the job that has made it ends.
  await setImmediate();
  collectGarbage();
  assert.deepEqual(
    references.map((reference) => reference.deref()),
    [kept, undefined],
  );
});
