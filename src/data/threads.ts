// Images are read and decoded on libuv's thread pool, whose size libuv reads from the environment once, at the first
// task. Nothing heavy is imported here: this runs before anything else.

import { availableParallelism } from 'node:os';

/** How many decoding threads are kept busy unless the user says otherwise: one a core, at least 4. */
export function defaultWorkers(): number {
  return Math.max(4, availableParallelism());
}

/**
 * Makes room for `workers` decoding threads unless UV_THREADPOOL_SIZE is set already. It must run before the thread
 * pool's first task: on Node 22 and later at the top of the entry module; on Node 20 the loading of an ES module is
 * itself such a task, so there only a CommonJS entry (or the variable itself) comes early enough, and the pool stays
 * at 4 threads otherwise. The pool also serves files and name look-ups, so it has at least 2.
 */
export function setDecodeThreads(workers: number = defaultWorkers()): void {
  process.env['UV_THREADPOOL_SIZE'] ??= String(Math.min(1024, Math.max(2, workers)));
}
