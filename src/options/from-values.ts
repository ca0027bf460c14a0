// Options as a program gives them: a JavaScript object with the names of a table, each value as it is or as text. They
// pass the very checks of the command line.

import { UserError } from '../errors.js';
import { findOption, type Given, type GivenOptions, givenNames, readOptions } from './given.js';
import { didYouMean, nearest } from './nearest.js';
import { type units, withUnit } from './option-text.js';
import type { OptionSpec, OptionTable, ValuesOf } from './spec.js';

/** What a program may give for a table: any of its options, under its name. */
export type OptionsOf<Table extends OptionTable> = {
  readonly [Name in keyof Table]?:
    | (Table[Name] extends OptionSpec<infer T> ? T : never)
    | (Name extends keyof typeof units ? string : never)
    | undefined;
};

/**
 * Every option of the table, and the names of those that are given; undefined is as if an option were left out. `without`
 * is one that programs can't give.
 * @throws UserError for a name that the table does not have, or a value that the option does not take.
 */
export function readValues<Table extends OptionTable>(
  table: Table,
  values: Readonly<Record<string, unknown>>,
  { without }: { without?: keyof Table } = {},
): { values: ValuesOf<Table>; given: ReadonlySet<string> } {
  const known = Object.fromEntries(Object.entries(table).filter(([name]) => name !== without));
  const sources = [givenValues(values, known)];
  return { values: readOptions(table, sources), given: givenNames(sources) };
}

function givenValues(values: Readonly<Record<string, unknown>>, table: OptionTable): GivenOptions {
  const given = new Map<string, Given>();
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const option = findOption(table, name);
    if (option?.name !== name) {
      const suggestion = option?.name ?? nearest(name, Object.keys(table));
      throw new UserError(`Unknown option ${name}`, {
        mend: didYouMean(suggestion, "See the command line's options"),
      });
    }
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
      const found = value === null ? 'null' : Array.isArray(value) ? 'an array' : `a value of the type ${typeof value}`;
      throw new UserError(`Bad value for ${name}`, { expected: option.spec.expected, found });
    }
    given.set(name, { value: typeof value === 'boolean' ? value : withUnit(name, value), where: name });
  }
  return given;
}
