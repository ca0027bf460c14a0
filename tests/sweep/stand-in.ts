// Stands in for this program in tests of sweeps: `train` leaves the description of a run whose loss follows from its
// options, an epoch every few milliseconds (none while there is a file outputs/hold), goes on where it was killed, and saves
// on SIGTERM; `evaluate` leaves an evaluation. Two at once under one name, which must never be, are noted in
// outputs/overlaps. Runs named in STAND_IN_OUT_OF_TIME stop once after their first epoch, as at the end of a job.

import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeTextAtomically } from '#src/atomic-file.js';
import { isAlive, startTicks } from '#src/process-identity.mjs';

const [verb = '', ...words] = process.argv.slice(2);
const options = new Map(words.map((word) => /^--([^=]+)(?:=(.*))?$/.exec(word)?.slice(1) as [string, string]));
const root = options.get('root_dir') ?? '';
const {
  STAND_IN_EPOCH_MS: epochMs = '5',
  STAND_IN_FAILS: failing = '',
  STAND_IN_OUT_OF_TIME: outOfTime = '',
} = process.env;

let isStopped = false;
process.on('SIGTERM', () => {
  isStopped = true;
});

if (verb === 'evaluate') evaluate(options.get('run') ?? '');
else process.exitCode = await train(options.get('run_name') ?? '');

async function train(run: string): Promise<number> {
  const results = join(root, 'outputs', 'results');
  mkdirSync(results, { recursive: true });
  appendFileSync(join(root, 'outputs', 'starts'), `${JSON.stringify({ run, ...Object.fromEntries(options) })}\n`);
  const mark = join(results, `${run}.pid`);
  // One that has ended and only waits to be reaped is no other.
  if (existsSync(mark) && isAlive(JSON.parse(readFileSync(mark, 'utf8')))) {
    appendFileSync(join(root, 'outputs', 'overlaps'), `${run}\n`);
  }
  writeTextAtomically(mark, JSON.stringify({ pid: process.pid, startTicks: startTicks(process.pid) }));
  if (failing.split(',').includes(run)) return 1;

  const path = join(results, `${run}20260101_00-00-00.json`);
  const epochs: object[] = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).epochs : [];
  const write = (state: string) => {
    const described = { state, started: '2026-01-01T00:00:00Z', data: {}, epochs, options: describedOptions(run) };
    writeTextAtomically(path, JSON.stringify(described));
  };
  write('running');
  const total = Number(options.get('epochs') ?? 2);
  const stopsEarly = epochs.length === 0 && outOfTime.split(',').includes(run);
  while (epochs.length < total) {
    do await sleep(Number(epochMs));
    while (existsSync(join(root, 'outputs', 'hold')) && !isStopped);
    if (isStopped) return 75;
    const loss = lossAfter(epochs.length + 1);
    epochs.push({ epoch: epochs.length + 1, validation: { loss, precisionAt1: 100 / (1 + loss), precisionAt5: 100 } });
    write('running');
    if (stopsEarly) return 75;
  }
  write('finished');
  rmSync(mark);
  return 0;
}

function describedOptions(run: string): object {
  return { run_name: run, data_dir: options.get('data_dir') };
}

/** The lowest where lr is 1e-3, and lower with each epoch. */
function lossAfter(epoch: number): number {
  return (
    (Math.log10(Number(options.get('lr') ?? 1e-3)) + 3) ** 2 + Number(options.get('label_smoothing') ?? 0) + 1 / epoch
  );
}

function evaluate(run: string): void {
  const folder = join(root, 'outputs', 'evaluations', `${run}.best`, 'test');
  mkdirSync(folder, { recursive: true });
  appendFileSync(join(root, 'outputs', 'tests'), `${run}\n`);
  const share = { percent: 80, low: 70, high: 90 };
  writeFileSync(
    join(folder, 'evaluation.json'),
    JSON.stringify({ loss: 0.5, precisionAt1: share, precisionAt5: share, images: 20 }),
  );
}
