// A training run in a process of its own, for tests of signals and of a thread that is blocked.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createWandb } from '#src/reporting/wandb.js';
import { epoch, impatience, stopped } from './wandb-run.js';

const [folder = '', what = ''] = process.argv.slice(2);

const { promise: connected, resolve: onAddress } = promiseOf<string>();
const reporter = createWandb({
  config: { root_dir: folder, run_name: 'mine' },
  onWarning: (message) => process.stderr.write(`${message}\n`),
  onAddress,
  patience: { ...impatience, requestMs: 300_000 },
  flushMs: 300_000,
});
const tell = (events: ReturnType<typeof epoch>) => {
  for (const event of events) reporter.handle(event);
};

const training = setInterval(() => {}, 1_000);
if (what === 'signals') {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, async () => {
      // A checkpoint takes its time.
      await sleep(1_500);
      writeFileSync(join(folder, 'checkpoint'), signal);
      reporter.handle(stopped);
      await reporter.close();
      process.exitCode = 75;
      clearInterval(training);
    });
  }
  tell(epoch(1));
  await connected;
  const listeners = ['SIGTERM', 'SIGINT', 'beforeExit', 'uncaughtException'].map((name) => process.listenerCount(name));
  process.stdout.write(`ready ${listeners.join()}\n`);
}
if (what === 'blocked') {
  // The thread is started while the first step blocks, and connects while others do.
  tell(epoch(1));
  const longest = { connectedMs: 0 };
  for (let step = 0; step < 300 && !existsSync(join(folder, 'arrived')); step++) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
    const before = performance.now();
    await new Promise((resolve) => setImmediate(resolve));
    longest.connectedMs = Math.max(longest.connectedMs, performance.now() - before);
  }
  process.stdout.write(`${longest.connectedMs}\n`);
  // Nor does the thread keep the process alive when nobody closes it.
  clearInterval(training);
}

function promiseOf<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
