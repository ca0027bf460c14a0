// `deep-cnn wandb sync RUN`: sends recorded runs to Weights & Biases, from a machine that can reach it.

import { join } from 'node:path';
import { exitCode, UserError } from '../errors.js';
import type { Command } from '../options/command.js';
import { quoted } from '../options/given.js';
import { didYouMean, nearest } from '../options/nearest.js';
import { findRootDir } from '../options/paths.js';
import type { ValuesOf } from '../options/spec.js';
import { trainOptions } from '../options.js';
import { readableNames } from '../readable-names.js';
import type { WandbPatience } from '../reporting/wandb-server.js';
import { count } from '../wording.js';
import { standardVoices, type Voices } from './voices.js';

const wandbOptions = { root_dir: trainOptions.root_dir };

/** What the command needs from the rest of the program; tests put their own in. */
export interface WandbParts extends Pick<Voices, 'print'> {
  env?: NodeJS.ProcessEnv;
  patience?: WandbPatience;
}

export const wandbCommand: Command<typeof wandbOptions> = {
  name: 'wandb',
  summary: 'Send runs that were recorded offline to Weights & Biases',
  options: wandbOptions,
  operands: '<sync RUN ...>',
  offers: [['sync'], 'runs'],
  run: (values, operands) => runWandb(operands, values, standardVoices),
};

/**
 * Sends what the named runs have recorded. Returns 0, or 75 when the network fails: all that was confirmed until then is
 * not sent again. Throws a `UserError` for a mistake in the words, or when W&B refuses a run.
 */
export async function runWandb(
  operands: readonly string[],
  { root_dir }: ValuesOf<typeof wandbOptions>,
  { print, env = process.env, patience }: WandbParts,
): Promise<number> {
  const names = readOperands(operands);
  const rootDir = findRootDir(root_dir);
  const recorded = readableNames(join(rootDir, 'outputs', 'wandb'));
  for (const name of names) requireRun(name, recorded);
  const [{ journalFile }, { syncWandb }, { redact }] = await Promise.all([
    import('../reporting/wandb-journal.js'),
    import('../reporting/wandb-sync.js'),
    import('../secrets.js'),
  ]);
  let code: number = exitCode.ok;
  for (const name of names) {
    const path = journalFile({ root_dir: rootDir, run_name: name });
    const say = (text: string) => print(`${name}: ${redact(text, env)}\n`);
    const outcome = await syncWandb({ path, env, ...(patience && { patience }), onTrouble: say });
    if (outcome.kind === 'nothing-left') say('W&B has everything already');
    if (outcome.kind === 'sent') say(`${epochs(outcome.rows)} sent to ${outcome.address}`);
    if (outcome.kind !== 'outage') continue;
    const { reason, sentRows, rows } = outcome;
    say(`W&B can't be reached: ${reason}. It has ${sentRows} of ${epochs(rows)}; the same command sends the rest`);
    code = exitCode.resumable;
  }
  return code;
}

function readOperands([verb, ...names]: readonly string[]): readonly string[] {
  if (verb === 'sync' && names.length > 0) return names;
  const suggestion = verb === undefined || verb === 'sync' ? undefined : nearest(verb, ['sync']);
  throw new UserError('Bad use of deep-cnn wandb', {
    expected: 'sync and the names of one or more runs after it',
    found: verb === undefined ? 'nothing' : verb === 'sync' ? 'no name' : quoted(verb),
    mend: didYouMean(suggestion, 'See deep-cnn wandb --help'),
  });
}

function requireRun(name: string, recorded: readonly string[]): void {
  if (recorded.includes(name)) return;
  const suggestion = nearest(name, recorded);
  throw new UserError(`There is no run ${quoted(name)} for W&B here`, {
    expected: recorded.length === 0 ? 'a run that was made with --wandb=True' : `one of ${recorded.join(', ')}`,
    mend: didYouMean(suggestion) ?? 'Say where outputs/wandb is with --root_dir',
  });
}

const epochs = (amount: number) => count(amount, 'epoch', 'epochs');
