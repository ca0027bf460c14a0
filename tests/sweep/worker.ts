// A process that works on a sweep, with the stand-in for what trains: `node worker.js FILE OPTION=VALUE...`.

import { fileURLToPath } from 'node:url';
import { runSweepCommand, sweepOptions } from '#src/commands/sweep.js';
import { UserError } from '#src/errors.js';
import { readValues } from '#src/options/from-values.js';
import { starterOf } from '#src/sweep/trainer.js';

const [file = '', ...words] = process.argv.slice(2);
const options = Object.fromEntries(words.map((word) => word.split('=') as [string, string]));
const start = starterOf(fileURLToPath(new URL('./stand-in.js', import.meta.url)));
try {
  const { values, given } = readValues(sweepOptions, options);
  process.exitCode = await runSweepCommand(values, [file], given, {
    start,
    pollMs: 20,
    print: console.log,
  });
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
