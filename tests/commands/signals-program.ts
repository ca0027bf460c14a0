// A stand-in for a run, for tests that send real signals: steps that block the thread, then a save.
//
// Arguments: --set-up, stay before `hold`; --resumable, exit code 75 there; --foreign, add listeners as @wandb/sdk does;
// --long, block for 20 s once a signal was heard; --screen, print as cli.ts does rather than past the event loop.
// It prints `ready`, `step N` when a step begins, `saving` and `saved`, and how it ended to the file RESULT.

import { writeFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { catchSignals, noteLostOutput } from '#src/commands/signals.js';
import { createStopping, heardSignals } from '#src/training/stopping.js';

const has = (flag: string) => process.argv.includes(flag);
const stepMs = Number(process.env['STEP_MS'] ?? 200);
/** Past the event loop it comes in order, also when the thread is blocked at once afterwards. */
const print = (line: string) => (has('--screen') ? process.stdout.write(`${line}\n`) : writeSync(1, `${line}\n`));
const lost = new Set<string | undefined>();
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  lost.add(error.code);
  if (!noteLostOutput(error)) process.exit(141);
});
const block = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

process.on('exit', () => print('exit handlers'));
const signals = catchSignals({ exitCodeInSetUp: () => (has('--resumable') ? 75 : undefined) });
if (has('--set-up')) {
  print('ready');
  await sleep(20_000);
}
signals.hold();
const writeResult = (text: string) => {
  const { RESULT: path } = process.env;
  if (path !== undefined) writeFileSync(path, text);
};
writeResult('running');
if (has('--foreign')) {
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => process.exit(1));
}
const stopping = createStopping({ signal: signals.first });
print('ready');
for (let step = 1; step <= 20_000 / stepMs && stopping.reason() === undefined; step++) {
  print(`step ${step}`);
  block(stepMs);
  await heardSignals();
}
if (has('--long')) {
  print('long step');
  block(20_000);
}
print(`saving after ${stopping.reason()}`);
await sleep(600);
print('saved');
writeResult(`saved after ${stopping.reason()}, lost ${[...lost]}`);
process.exitCode = 75;
signals.release();
