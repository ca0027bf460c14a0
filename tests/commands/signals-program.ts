// A stand-in for a run, for tests that send real signals: steps that block the thread, then a save that does not. A step ends
// when a line comes on the standard input, the save when something comes on descriptor 3: so a test decides what is first.
//
// Arguments: --set-up, stay before `hold`; --resumable, exit code 75 there; --foreign, add listeners as @wandb/sdk does;
// --long, block once more after a signal was heard; --screen, print as cli.ts does rather than past the event loop.
// It prints `ready`, `step N` when a step begins, `saving` and `saved`, and how it ended to the file RESULT.

import { once } from 'node:events';
import { readSync, writeFileSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { catchSignals, noteLostOutput } from '#src/commands/signals.js';
import { createStopping, heardSignals } from '#src/training/stopping.js';

const has = (flag: string) => process.argv.includes(flag);
/** Past the event loop it comes in order, also when the thread is blocked at once afterwards. */
const print = (line: string) => (has('--screen') ? process.stdout.write(`${line}\n`) : writeSync(1, `${line}\n`));
const lost = new Set<string | undefined>();
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  lost.add(error.code);
  if (!noteLostOutput(error)) process.exit(141);
});

const letter = Buffer.alloc(1);
/** Blocks the thread. A terminal that is closed ends it, too. */
function step(): void {
  try {
    while (readSync(0, letter) > 0 && letter.toString() !== '\n');
  } catch {}
}
/** Leaves the thread to the event loop. */
const wait = () => once(word, 'data');
const word = new Socket({ fd: 3 });

process.on('exit', () => print('exit handlers'));
const { ECHO_MS: echoMs, RESULT: resultPath } = process.env;
const signals = catchSignals({
  exitCodeInSetUp: () => (has('--resumable') ? 75 : undefined),
  ...(echoMs !== undefined && { echoMs: Number(echoMs) }),
});
if (has('--set-up')) {
  print('ready');
  await wait();
  print('set up');
  await wait();
}
signals.hold();
const writeResult = (text: string) => {
  if (resultPath !== undefined) writeFileSync(resultPath, text);
};
writeResult('running');
if (has('--foreign')) {
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => process.exit(1));
}
const stopping = createStopping({ signal: signals.first });
print('ready');
for (let number = 1; number <= 1000 && stopping.reason() === undefined; number++) {
  print(`step ${number}`);
  step();
  await heardSignals();
}
if (has('--long')) {
  print('long step');
  step();
}
print(`saving after ${stopping.reason()}`);
await wait();
word.destroy();
print('saved');
writeResult(`saved after ${stopping.reason()}, lost ${[...lost]}`);
process.exitCode = 75;
signals.release();
