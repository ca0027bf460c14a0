// From what a user gave, on the command line and in a configuration file, to the values of a table of options.
import { UserError } from '../errors.js';
import { redact, secretIn } from '../secrets.js';
import { didYouMean, nearest } from './nearest.js';
import type { OptionSpec, OptionTable, ValuesOf } from './spec.js';

/** A value as the user wrote it. */
export interface Given {
  /** `true` and `false` stand for a bare `--name` and `--no-name`. */
  readonly value: string | boolean;
  /** Where it stands, for messages: `--epochs`, or `epochs (run.yaml, line 3)`. */
  readonly where: string;
}

/** What the user gave, by the option's name in the table. */
export type GivenOptions = ReadonlyMap<string, Given>;

/** Looks an option up by name, dashes or underscores; undefined when the table has none such. */
export function findOption(table: OptionTable, name: string): { name: string; spec: OptionSpec<unknown> } | undefined {
  const underscored = name.replaceAll('-', '_');
  const spec = Object.hasOwn(table, underscored) ? table[underscored] : undefined;
  return spec && { name: underscored, spec };
}

/**
 * Reads every option of the table: from the first of the sources that gives it, else its default. What the other
 * sources give is checked too.
 * @throws UserError naming the option, what it expects and what was found.
 */
export function readOptions<Table extends OptionTable>(
  table: Table,
  sources: readonly GivenOptions[],
): ValuesOf<Table> {
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(table)) {
    const found = sources.flatMap((source) => source.get(name) ?? []).map((given) => readOne(spec, given));
    values[name] = found.length > 0 ? found[0] : spec.default();
  }
  // The loop above has walked the very table that the type is derived from.
  return Object.freeze(values) as ValuesOf<Table>;
}

/** The names of all options that any of the sources gives. */
export function givenNames(sources: readonly GivenOptions[]): ReadonlySet<string> {
  return new Set(sources.flatMap((source) => [...source.keys()]));
}

function readOne(spec: OptionSpec<unknown>, { value, where }: Given): unknown {
  if (spec.isAbsence?.(String(value))) return spec.default();
  if (typeof value === 'boolean' && !spec.isFlag) {
    if (value && spec.bare !== undefined) return spec.bare;
    if (value) throw new UserError(`${where} needs a value`, { expected: spec.expected });
    throw new UserError(`${where} takes a value and cannot be negated`, { expected: spec.expected });
  }
  const variable = secretIn(String(value));
  if (variable !== undefined) {
    throw new UserError(`${where} holds the secret of ${variable}`, {
      mend: 'Take it out: options are written to logs and checkpoints',
    });
  }
  const parsed = spec.parse(String(value));
  if (parsed !== undefined) return parsed;
  const suggestion = nearest(String(value), spec.choices);
  throw new UserError(`Bad value for ${where}`, {
    expected: spec.expected,
    found: value === '' ? 'nothing' : quoted(String(value)),
    mend: suggestion && didYouMean(suggestion, 'Otherwise choose from the list'),
  });
}

/** A user's text made fit for a message: quoted, shortened, without secrets, control characters visible. */
export function quoted(value: string): string {
  // Before it is shortened: half a secret would not be recognised any more.
  const harmless = redact(value);
  const shortened = harmless.length > 80 ? `${harmless.slice(0, 77)}...` : harmless;
  return `'${JSON.stringify(shortened).slice(1, -1).replaceAll('\\"', '"')}'`;
}
