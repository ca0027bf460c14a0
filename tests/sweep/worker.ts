// `deep-cnn sweep` with the stand-in for what trains: `node worker.js sweep FILE --OPTION=VALUE...`.

import { fileURLToPath } from 'node:url';
import { runSweepCommand } from '#src/commands/sweep.js';
import { sweepOptions } from '#src/commands/sweep-options.js';
import { standardVoices } from '#src/commands/voices.js';
import { UserError } from '#src/errors.js';
import { readValues } from '#src/options/from-values.js';
import { starterOf } from '#src/sweep/trainer.js';

const words = process.argv.slice(3);
const operands = words.filter((word) => !word.startsWith('--'));
const options = Object.fromEntries(
  words.flatMap((word) => {
    const [, name, value] = /^--([^=]+)=(.*)$/.exec(word) ?? [];
    return name === undefined ? [] : [[name, value]];
  }),
);
const start = starterOf(fileURLToPath(new URL('./stand-in.js', import.meta.url)));
try {
  const { values, given } = readValues(sweepOptions, options);
  process.exitCode = await runSweepCommand(values, operands, given, {
    start,
    pollMs: 20,
    print: standardVoices.print,
  });
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
