// What a sweep is: read from its file, checked, and turned into what Optuna is asked for.

import { UserError } from '../errors.js';
import type { Parameter, Value } from './parameters.js';
import { valuesOf } from './parameters.js';
import type { OptunaObject, SearchSpace } from './study.js';

export const methods = ['grid', 'random', 'bayes'] as const;
export type Method = (typeof methods)[number];

export const metrics = ['val_loss', 'val_precision@1', 'val_precision@5'] as const;
export type Metric = (typeof metrics)[number];

export const prunerTypes = ['hyperband', 'asha', 'median'] as const;

export interface EarlyTerminate {
  type: (typeof prunerTypes)[number];
  /** Epochs that every trial gets. */
  min_iter: number;
  /** The reduction factor; undefined with `median`. */
  eta: number | undefined;
}

export interface SweepDefinition {
  name: string;
  method: Method;
  metric: Metric;
  /** By name, sorted. */
  parameters: readonly Parameter[];
  earlyTerminate: EarlyTerminate | undefined;
  /** Trials in all. */
  runCap: number;
  /** Attempts after the first that failed. */
  retries: number;
  seed: number;
  storage: string | undefined;
}

export function directionOf(metric: Metric): 'minimize' | 'maximize' {
  return metric === 'val_loss' ? 'minimize' : 'maximize';
}

/** How many points a grid has. Throws a `UserError` for a parameter without a list of values. */
export function gridSize(parameters: readonly Parameter[]): number {
  return parameters.reduce((size, parameter) => size * gridValues(parameter).length, 1);
}

function gridValues(parameter: Parameter): readonly Value[] {
  const values = valuesOf(parameter);
  if (values !== undefined) return values;
  throw new UserError(`${parameter.where} has no end of values for a grid`, {
    expected: 'value, values, int_uniform or q_uniform',
    mend: 'List its values, or take the method random or bayes',
  });
}

/** What there is to choose. */
export function spaceOf({ method, parameters }: Pick<SweepDefinition, 'method' | 'parameters'>): SearchSpace {
  const entries = parameters.flatMap((parameter) => {
    const { name, range } = parameter;
    if ('value' in range) return [];
    if (method !== 'grid') return [[name, range.distribution] as const];
    const choices = gridValues(parameter);
    return [[name, { name: 'CategoricalDistribution' as const, attributes: { choices } }] as const];
  });
  return Object.fromEntries(entries);
}

/**
 * The sampler that chooses the trial of that number. Each asking is a process of its own, in which samplers that draw would
 * begin anew with the same seed; grids need the same in all.
 */
export function samplerFor(definition: SweepDefinition, trial: number): OptunaObject {
  const { method, seed } = definition;
  if (method === 'grid') {
    const space = Object.entries(spaceOf(definition)).map(([name, { attributes }]) => {
      return [name, 'choices' in attributes ? attributes.choices : []];
    });
    return { name: 'GridSampler', kwargs: { search_space: Object.fromEntries(space), seed } };
  }
  const kwargs = { seed: (seed + trial) % 2 ** 32 };
  return method === 'random' ? { name: 'RandomSampler', kwargs } : { name: 'TPESampler', kwargs };
}

/** The pruner for trials of so many epochs; undefined where nothing is pruned. */
export function prunerFor({ earlyTerminate }: SweepDefinition, epochs: number): OptunaObject | undefined {
  if (earlyTerminate === undefined) return undefined;
  const { type, min_iter: minimum, eta } = earlyTerminate;
  if (type === 'median') return { name: 'MedianPruner', kwargs: { n_warmup_steps: minimum } };
  const kwargs = { min_resource: minimum, ...(eta !== undefined && { reduction_factor: eta }) };
  if (type === 'asha') return { name: 'SuccessiveHalvingPruner', kwargs };
  return { name: 'HyperbandPruner', kwargs: { ...kwargs, max_resource: Math.max(epochs, minimum) } };
}

/** What trials must have in common to be compared, as a text: a sweep goes on only with the same. */
export function comparable(definition: SweepDefinition): string {
  const { method, metric, parameters, earlyTerminate, seed } = definition;
  const ranges = Object.fromEntries(parameters.map(({ name, range }) => [name, range]));
  return JSON.stringify({ method, metric, seed, parameters: ranges, early_terminate: earlyTerminate ?? null });
}

/** The name of a trial's run. */
export function runName({ name }: Pick<SweepDefinition, 'name'>, trial: number): string {
  return `${name}-${trial}`;
}
