// The parameters of a sweep: options of training, each with a value or with those that Optuna chooses from. The words are
// those of W&B's sweep configuration: https://docs.wandb.ai/guides/sweeps/sweep-config-keys

import { UserError } from '../errors.js';
import { quoted } from '../options/given.js';
import { didYouMean, nearest } from '../options/nearest.js';
import type { OptionSpec } from '../options/spec.js';

/** What an option of training can be. */
export type Value = string | number | boolean;

/** As `optuna ask --search-space` takes it. */
export type Distribution =
  | { name: 'CategoricalDistribution'; attributes: { choices: readonly Value[] } }
  | { name: 'IntDistribution'; attributes: { low: number; high: number; step: number; log: boolean } }
  | { name: 'FloatDistribution'; attributes: { low: number; high: number; step: number | null; log: boolean } };

export interface Parameter {
  name: string;
  /** What there is to choose from; a single value is chosen by nobody. */
  range: { value: Value } | { distribution: Distribution };
  /** Where it stands, for messages: `lr (sweep.yaml, line 4)`. */
  where: string;
}

/** A parameter as it stands in the file: keys and texts. */
export interface ParameterText {
  name: string;
  where: string;
  /** The text of each key that has a single value. */
  scalars: ReadonlyMap<string, string>;
  /** The texts of `values`. */
  values: readonly string[] | undefined;
}

const shapes = {
  constant: ['value'],
  categorical: ['values'],
  int_uniform: ['min', 'max'],
  uniform: ['min', 'max'],
  q_uniform: ['min', 'max', 'q'],
  log_uniform: ['min', 'max'],
  log_uniform_values: ['min', 'max'],
  q_log_uniform_values: ['min', 'max', 'q'],
} as const satisfies Record<string, readonly string[]>;
type Shape = keyof typeof shapes;

const keys = ['value', 'values', 'min', 'max', 'q', 'distribution'];

/**
 * Reads a parameter: every value that it can take passes the check that it would pass on the command line.
 * @throws UserError naming the parameter and what is wrong with it.
 */
export function readParameter(text: ParameterText, spec: OptionSpec<unknown>): Parameter {
  const { name, where } = text;
  const shape = shapeOf(text);
  const has = (key: string) => text.scalars.has(key) || (key === 'values' && text.values !== undefined);
  const needed: readonly string[] = shapes[shape];
  for (const key of needed) {
    if (!has(key) && key !== 'q') throw new UserError(`${where} lacks ${key}`, { expected: needed.join(', ') });
  }
  for (const key of [...text.scalars.keys(), ...(text.values ? ['values'] : [])]) {
    if (key === 'distribution' || needed.includes(key)) continue;
    throw new UserError(`Bad value for ${where}`, { expected: `${needed.join(', ')} for ${shape}`, found: key });
  }
  const read = (given: string) => readValue(given, spec, where);
  if (shape === 'constant') return { name, where, range: { value: read(text.scalars.get('value') ?? '') } };
  if (shape === 'categorical') {
    const choices = (text.values ?? []).map(read);
    if (choices.length === 0) throw new UserError(`${where} has no values`, { expected: 'a list such as [0.1, 0.01]' });
    const twice = choices.find((choice, index) => choices.indexOf(choice) < index);
    if (twice !== undefined) throw new UserError(`${where} has a value twice`, { found: String(twice) });
    return { name, where, range: { distribution: { name: 'CategoricalDistribution', attributes: { choices } } } };
  }
  return { name, where, range: { distribution: readRange(shape, text, spec) } };
}

function shapeOf({ where, scalars, values }: ParameterText): Shape {
  const unknown = [...scalars.keys()].find((key) => !keys.includes(key));
  if (unknown !== undefined) {
    const suggestion = nearest(unknown, keys);
    throw new UserError(`${where} has an unknown key ${quoted(unknown)}`, {
      expected: keys.join(', '),
      mend: didYouMean(suggestion),
    });
  }
  const given = scalars.get('distribution');
  if (given === undefined) {
    if (scalars.has('value')) return 'constant';
    if (values !== undefined) return 'categorical';
    if (scalars.has('q')) return 'q_uniform';
    return [scalars.get('min'), scalars.get('max')].every((bound) => /^[+-]?\d+$/.test(bound ?? ''))
      ? 'int_uniform'
      : 'uniform';
  }
  if (Object.hasOwn(shapes, given)) return given as Shape;
  const suggestion = nearest(given, Object.keys(shapes));
  throw new UserError(`Bad distribution of ${where}`, {
    expected: `one of ${Object.keys(shapes).join(', ')}`,
    found: quoted(given),
    mend: didYouMean(suggestion),
  });
}

function readValue(given: string, spec: OptionSpec<unknown>, where: string): Value {
  const parsed = spec.parse(given);
  if (typeof parsed === 'string' || typeof parsed === 'number' || typeof parsed === 'boolean') return parsed;
  const suggestion = nearest(given, spec.choices);
  throw new UserError(`Bad value for ${where}`, {
    expected: spec.expected,
    found: quoted(given),
    mend: didYouMean(suggestion),
  });
}

function readRange(
  shape: Exclude<Shape, 'constant' | 'categorical'>,
  { where, scalars }: ParameterText,
  spec: OptionSpec<unknown>,
): Distribution {
  if (spec.type !== 'integer' && spec.type !== 'number') {
    throw new UserError(`${where} is no number`, { expected: spec.expected, mend: 'List its values with `values`' });
  }
  const isExponent = shape === 'log_uniform';
  const [min, max] = ['min', 'max'].map((key) => {
    const number = numberOf(scalars.get(key) ?? '', key, where);
    return isExponent ? Math.exp(number) : number;
  }) as [number, number];
  if (!(min < max))
    throw new UserError(`${where} has no range`, { expected: 'min below max', found: `${min}, ${max}` });
  for (const bound of [min, max]) readValue(String(bound), spec, where);
  const isLog = shape !== 'int_uniform' && shape !== 'uniform' && shape !== 'q_uniform';
  if (isLog && min <= 0)
    throw new UserError(`${where} has no logarithm`, { expected: 'min above 0', found: String(min) });
  const q = shape.startsWith('q_') ? numberOf(scalars.get('q') ?? '1', 'q', where) : undefined;
  if (q !== undefined) requireStep({ q, min, max, isLog, where });
  const isWhole = shape === 'int_uniform' || shape === 'q_log_uniform_values' || spec.type === 'integer';
  if (!isWhole) return { name: 'FloatDistribution', attributes: { low: min, high: max, step: q ?? null, log: isLog } };
  const step = q ?? 1;
  if (
    shape === 'uniform' ||
    isExponent ||
    shape === 'log_uniform_values' ||
    ![min, max, step].every(Number.isInteger)
  ) {
    throw new UserError(`${where} takes whole numbers only`, {
      expected: isLog ? 'q_log_uniform_values with q: 1' : 'int_uniform, or q_uniform with whole numbers',
      found: `${shape} of ${min} to ${max}`,
    });
  }
  return { name: 'IntDistribution', attributes: { low: min, high: max, step, log: isLog } };
}

function numberOf(text: string, key: string, where: string): number {
  const number = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isFinite(number)) return number;
  throw new UserError(`Bad ${key} of ${where}`, { expected: 'a number', found: quoted(text) });
}

interface SteppedRange {
  q: number;
  min: number;
  max: number;
  isLog: boolean;
  where: string;
}

/** Optuna's steps start at `min`, and logarithmic ones are whole numbers. */
function requireStep({ q, min, max, isLog, where }: SteppedRange): void {
  if (!(q > 0)) throw new UserError(`Bad q of ${where}`, { expected: 'a number above 0', found: String(q) });
  if (isLog && q !== 1) throw new UserError(`Bad q of ${where}`, { expected: '1 with a logarithm', found: String(q) });
  const steps = (max - min) / q;
  if (Math.abs(steps - Math.round(steps)) < 1e-9 * Math.max(1, steps)) return;
  throw new UserError(`The steps of ${where} do not end at max`, {
    expected: `min + a multiple of ${q}`,
    found: String(max),
    mend: `Take ${Number((min + Math.floor(steps) * q).toPrecision(12))} as max`,
  });
}

/** All values of a parameter, where they are a list; undefined where they are a range of any number. */
export function valuesOf({ range }: Parameter): readonly Value[] | undefined {
  if ('value' in range) return [range.value];
  const { name, attributes } = range.distribution;
  if (name === 'CategoricalDistribution') return attributes.choices;
  const { low, high, step, log } = attributes;
  if (step === null || log) return undefined;
  const count = Math.round((high - low) / step) + 1;
  return count > maxSteps ? undefined : Array.from({ length: count }, (_, index) => stepped(low, step, index));
}

/** More points than that on one axis are no grid that anybody would wait for. */
const maxSteps = 10_000;

/** Without the digits that adding up leaves behind: 0.1 + 2 * 0.1 is 0.3. */
const stepped = (low: number, step: number, index: number) => Number((low + index * step).toPrecision(12));

/** Values by which to find out whether a parameter can go with the others: all of a list, the ends of a range. */
export function samplesOf(parameter: Parameter): readonly Value[] {
  const listed = valuesOf(parameter);
  if (listed !== undefined && listed.length <= 100) return listed;
  if ('value' in parameter.range) return [parameter.range.value];
  const { distribution } = parameter.range;
  if (distribution.name === 'CategoricalDistribution') return distribution.attributes.choices;
  return [distribution.attributes.low, distribution.attributes.high];
}
