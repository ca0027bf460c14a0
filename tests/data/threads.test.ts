import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { afterEach, test } from 'node:test';
import { defaultWorkers, setDecodeThreads } from '#src/data/threads.js';

const before = process.env['UV_THREADPOOL_SIZE'];
const restore = () => {
  if (before === undefined) delete process.env['UV_THREADPOOL_SIZE'];
  else process.env['UV_THREADPOOL_SIZE'] = before;
};
afterEach(restore);

test('there is a thread for each worker, within what libuv allows', () => {
  for (const [workers, threads] of [
    [1, '2'],
    [12, '12'],
    [5000, '1024'],
  ] as const) {
    delete process.env['UV_THREADPOOL_SIZE'];
    setDecodeThreads(workers);
    assert.equal(process.env['UV_THREADPOOL_SIZE'], threads);
  }
});

test("the user's own size stands", () => {
  process.env['UV_THREADPOOL_SIZE'] = '7';
  setDecodeThreads(12);
  assert.equal(process.env['UV_THREADPOOL_SIZE'], '7');
});

test('every core has work by default', () => {
  assert.ok(defaultWorkers() >= Math.max(4, availableParallelism()));
});
