import type { OptionTable, ValuesOf } from '../options/spec.js';

/**
 * One command of the program. A new one is a file that exports such an object, and a line in the list in src/cli.ts.
 * The file imports what is heavy inside `run`, so that `--help` stays instant.
 */
export interface Command<Table extends OptionTable = OptionTable> {
  readonly name: string;
  /** One sentence for `--help`. */
  readonly summary: string;
  readonly options: Table;
  /** Does the work and returns the exit code. An option `config` has been followed already. */
  run(values: ValuesOf<Table>): Promise<number>;
}
