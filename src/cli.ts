#!/usr/bin/env node
// The program's entry, and the only place that prints an error and sets the exit code.
import { inspect } from 'node:util';
import { compareCommand } from './commands/compare.js';
import { completionCommand } from './commands/completion.js';
import { dataCommand } from './commands/data.js';
import { doctorCommand } from './commands/doctor.js';
import { evaluateCommand } from './commands/evaluate.js';
import { exportCommand } from './commands/export.js';
import { findLrCommand } from './commands/find-lr.js';
import { modelsCommand } from './commands/models.js';
import { predictCommand } from './commands/predict.js';
import { reportCommand } from './commands/report.js';
import { rerunCommand } from './commands/rerun.js';
import { serveCommand } from './commands/serve.js';
import { setupCommand } from './commands/setup.js';
import { noteLostOutput } from './commands/signals.js';
import { submitCommand } from './commands/submit.js';
import { sweepCommand } from './commands/sweep.js';
import { trainCommand } from './commands/train.js';
import { wandbCommand } from './commands/wandb.js';
import { weightsCommand } from './commands/weights.js';
import { exitCode, UserError } from './errors.js';
import type { Command } from './options/command.js';
import { readCommandLine } from './options/command-line.js';
import { findOption, type GivenOptions, givenNames, readOptions } from './options/given.js';
import { redact } from './secrets.js';
import { version } from './version.js';

/** All commands; the first is the one that runs when none is named. */
const commands: readonly Command[] = [
  trainCommand,
  rerunCommand,
  sweepCommand,
  findLrCommand,
  reportCommand,
  compareCommand,
  evaluateCommand,
  predictCommand,
  serveCommand,
  exportCommand,
  modelsCommand,
  weightsCommand,
  dataCommand,
  wandbCommand,
  submitCommand,
  setupCommand,
  doctorCommand,
  completionCommand(() => commands),
];

async function main(args: readonly string[]): Promise<number> {
  const columns = Math.min(process.stdout.columns ?? 80, 120);
  const commandLine = readCommandLine(args, { commands, version, columns });
  if (commandLine === undefined) return exitCode.ok;
  const { command, given, operands } = commandLine;
  const sources = [given, ...(await readConfig(command, given))];
  return command.run(readOptions(command.options, sources), operands, givenNames(sources));
}

async function readConfig(command: Command, given: GivenOptions): Promise<GivenOptions[]> {
  const path = given.get('config')?.value;
  if (typeof path !== 'string' || path === '' || findOption(command.options, 'config') === undefined) return [];
  const { readConfigFile } = await import('./options/config-file.js');
  return [readConfigFile(path, command.options)];
}

/** What a shell reports for a program that wrote into a closed pipe, as in `deep-cnn | head -1`. */
const brokenPipeCode = 141;

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // A run goes on without a screen, or saves before it stops.
    if (noteLostOutput(error)) return;
    if (error.code === 'EPIPE') process.exit(brokenPipeCode);
    // The terminal has gone, and whoever is to be stopped by that has got SIGHUP.
    if (error.code !== 'EIO') throw error;
  });
}

/** Prints what went wrong, without secrets, and returns the exit code for it. */
function tell(error: unknown): number {
  const isMistake = error instanceof UserError;
  console.error(redact(isMistake ? `deep-cnn: ${error.message}` : inspect(error)));
  return isMistake ? exitCode.userError : exitCode.bug;
}

// Errors that nobody waits for: Node would print them as they are.
process.on('uncaughtException', (error) => process.exit(tell(error)));

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = tell(error);
}
