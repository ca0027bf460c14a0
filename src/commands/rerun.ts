// `deep-cnn rerun RUN`: the same run once more, under another name, and whether it came out the same.

import { exitCode, UserError } from '../errors.js';
import type { Command } from '../options/command.js';
import { quoted } from '../options/given.js';
import { valueText } from '../options/option-text.js';
import { findRootDir } from '../options/paths.js';
import { mergeForRepeat } from '../options/resume-options.js';
import { type TrainConfig, trainOptions } from '../options.js';
import { findRunDescription } from '../reporting/find-run-description.js';
import type { RunDescription } from '../reporting/run-description.js';
import { runTraining, type TrainParts, wholeProgram } from './train.js';
import { standardVoices, type Voices } from './voices.js';

export const rerunCommand: Command<typeof trainOptions> = {
  name: 'rerun',
  summary: 'Repeat a run, as it was or with other options',
  options: trainOptions,
  operands: '<RUN>',
  offers: ['runs'],
  run: (values, operands, given) => rerun(operands, { values, given }, wholeProgram, standardVoices),
};

/**
 * Trains with the options that the run of that name had, save those that are given, as `<RUN>-rerun` unless
 * `--run_name` says otherwise, and tells what differs. Returns training's exit code.
 * @throws UserError where there is no such run, or its data has changed.
 */
export async function rerun(
  operands: readonly string[],
  { values, given }: { values: TrainConfig; given: ReadonlySet<string> },
  parts: TrainParts,
  { print }: Pick<Voices, 'print'>,
): Promise<number> {
  const root_dir = findRootDir(values.root_dir);
  const before = findRunDescription({ root_dir, run_name: onlyName(operands) });
  const name = given.has('run_name') ? values.run_name : `${before.options['run_name']}-rerun`;
  const config = { ...mergeForRepeat(values, given, before.options), root_dir, run_name: name };
  if (name === before.options['run_name']) {
    throw new UserError('A run is not repeated under its own name', { mend: 'Choose another --run_name' });
  }
  // Other data, or another split of it, was asked for.
  const isOtherData = given.has('data_dir') || given.has('val_split');
  const { classes: _, ...expectedData } = before.data;
  const code = await runTraining(config, parts, { given, ...(!isOtherData && { expectedData }) });
  if (code === exitCode.ok) {
    for (const line of comparison(before, findRunDescription(config))) print(`${line}\n`);
  }
  return code;
}

function onlyName(operands: readonly string[]): string {
  const [name, ...more] = operands;
  if (name !== undefined && more.length === 0) return name;
  throw new UserError('Bad use of deep-cnn rerun', {
    expected: 'the name of one run after it',
    found: name === undefined ? 'nothing' : operands.map(quoted).join(' '),
  });
}

/** What differs between two runs: options, surroundings, results. */
export function comparison(before: RunDescription, after: RunDescription): string[] {
  const surroundings = ({ program, device, data }: RunDescription) => ({
    'deep-cnn': [program.version, program.commit?.slice(0, 12), program.isChanged && 'with changes']
      .filter(Boolean)
      .join(' '),
    tensorflow: program.tensorflow,
    node: program.node,
    platform: program.platform,
    device: device.kind,
    precision: device.precision,
    threads: device.threads,
    data: data.sha256.slice(0, 12),
  });
  const options = differences(before.options, after.options).filter(({ name }) => name !== 'run_name');
  const environment = differences(surroundings(before), surroundings(after));
  const [old, now] = [before, after].map(({ epochs, test }) => {
    return [...epochs.flatMap(({ train, validation }) => [train.loss, validation?.loss]), test?.loss];
  });
  return [
    ...[...options, ...environment].map(
      ({ name, from, to }) => `Not as before: ${name} ${valueText(name, from)}, now ${valueText(name, to)}`,
    ),
    `All losses of ${before.options['run_name']} and ${after.options['run_name']} ${agreement(old ?? [], now ?? [])}`,
  ];
}

function agreement(old: readonly (number | undefined)[], now: readonly (number | undefined)[]): string {
  if (old.length !== now.length) return 'can not be compared: the runs have not as many epochs';
  const apart = old.map((loss, index) => relativeDistance(loss, now[index]));
  const most = Math.max(0, ...apart);
  return most === 0 ? 'are equal, to the bit' : `agree within ${(100 * most).toPrecision(2)} %`;
}

function relativeDistance(a: number | undefined, b: number | undefined): number {
  if (a === b) return 0;
  if (a === undefined || b === undefined) return Number.POSITIVE_INFINITY;
  return Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b));
}

function differences(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>) {
  return Object.keys({ ...before, ...after })
    .map((name) => ({ name, from: before[name], to: after[name] }))
    .filter(({ from, to }) => (from ?? undefined) !== (to ?? undefined));
}
