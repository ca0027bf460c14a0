// From a sweep's file and the options beside it to a sweep that can begin: what no single parameter can know.

import { UserError } from '../errors.js';
import { completeConfig } from '../options/complete-config.js';
import { quoted } from '../options/given.js';
import { checkModelName } from '../options/model-name.js';
import { optionText, valueText } from '../options/option-text.js';
import { type TrainConfig, trainOptions } from '../options.js';
import { gridSize, type SweepDefinition } from './definition.js';
import { type Parameter, samplesOf, type Value } from './parameters.js';
import { ownOptions, type SweepFile } from './sweep-file.js';

/** Options that say where and how to compute, and not what: a sweep may go on with others. */
const conditions: readonly string[] = [
  ...['data_dir', 'device', 'workers', 'cache', 'checkpoint_minutes', 'keep_checkpoints', 'wandb'],
  ...['root_dir', 'gpus', 'gpu_memory_limit', 'xla'],
];

export interface SweepPlan {
  definition: SweepDefinition;
  rootDir: string;
  /** Options that every trial gets beside its parameters. */
  options: readonly string[];
}

export interface GivenForTrials {
  /** The values of all options of training, those that were not given by default. */
  values: TrainConfig;
  /** The names of those that were given. */
  given: ReadonlySet<string>;
  runCap: number | undefined;
  storage: string | undefined;
  modelNames: readonly string[];
}

/**
 * Puts the file and the options on the command line together, and checks that training would take what can come of them:
 * each value of each parameter, with the first of the others.
 * @throws UserError for options that exclude each other, or are given in both places.
 */
export function planSweep(file: SweepFile, { values, given, runCap, storage, modelNames }: GivenForTrials): SweepPlan {
  const fixed = Object.keys(trainOptions).filter((name) => given.has(name) && !conditions.includes(name));
  const own = fixed.find((name) => ['run_name', 'resume', 'test'].includes(name));
  if (own) throw new UserError(`The sweep itself decides about --${own}`, { mend: 'Leave it out' });
  const fromOptions = fixed.flatMap((name): Parameter[] => {
    const value = values[name as keyof TrainConfig];
    return ownOptions.includes(name) || value === undefined ? [] : [{ name, where: `--${name}`, range: { value } }];
  });
  for (const { name, where } of file.parameters) {
    if (given.has(name))
      throw new UserError(`${where} is given on the command line, too`, { mend: 'Keep one of the two' });
  }
  const parameters = [...file.parameters, ...fromOptions].sort((a, b) => (a.name < b.name ? -1 : 1));
  const points = file.method === 'grid' ? gridSize(parameters) : undefined;
  const cap = runCap ?? file.runCap ?? points;
  if (cap === undefined) {
    throw new UserError(`A sweep by ${file.method} needs a number of trials`, { mend: 'Give run_cap' });
  }
  const config = checkedConfig(parameters, values, modelNames);
  const definition = {
    ...file,
    parameters,
    runCap: points === undefined ? cap : Math.min(cap, points),
    storage: checkedStorage(storage ?? file.storage),
  };
  const passed = conditions.filter((name) => name === 'data_dir' || given.has(name));
  const isParameter = (name: string) => parameters.some((parameter) => parameter.name === name);
  return {
    definition,
    rootDir: config.root_dir,
    options: [...passed, 'root_dir']
      .filter((name, index, all) => !isParameter(name) && all.indexOf(name) === index)
      .flatMap((name) => optionText(name, config[name as keyof TrainConfig])),
  };
}

function checkedStorage(storage: string | undefined): string | undefined {
  if (storage === undefined) return undefined;
  const url = URL.canParse(storage) ? new URL(storage) : undefined;
  if (!url || !/^[a-z][\w+]*:\/\//.test(storage)) {
    throw new UserError('Bad value for storage', {
      expected: 'the URL of a database, such as postgresql://user@host/optuna',
      found: quoted(storage),
    });
  }
  if (url.password === '') return storage;
  throw new UserError('The storage holds a password, which others could read in lists of processes and in scripts', {
    mend: 'Leave it out, and keep it where the database looks for it: ~/.pgpass for PostgreSQL',
  });
}

function checkedConfig(
  parameters: readonly Parameter[],
  values: TrainConfig,
  modelNames: readonly string[],
): TrainConfig {
  const first = Object.fromEntries(parameters.map((each) => [each.name, samplesOf(each)[0]]));
  const complete = (change: Readonly<Record<string, Value | undefined>>) => {
    const config: TrainConfig = { ...values, ...first, ...change };
    checkModelName(config.model, modelNames);
    if (config.val_split === 0) {
      throw new UserError('A sweep has no validation images to choose by', {
        expected: 'a val_split above 0',
        found: '0',
      });
    }
    return completeConfig(config);
  };
  const config = complete({});
  for (const parameter of parameters) {
    for (const sample of samplesOf(parameter)) {
      try {
        complete({ [parameter.name]: sample });
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        const { what, ...parts } = error.parts;
        throw new UserError(`${parameter.where}, ${valueText(parameter.name, sample)}: ${what}`, parts, {
          cause: error,
        });
      }
    }
  }
  return config;
}
