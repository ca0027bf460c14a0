import type { OptionTable, ValuesOf } from './spec.js';

/**
 * One command of the program. A new one is a file that exports such an object, and a line in the list in src/cli.ts.
 * The file imports what is heavy inside `run`, so that `--help` stays instant.
 */
export interface Command<Table extends OptionTable = OptionTable> {
  readonly name: string;
  /** One sentence for `--help`. */
  readonly summary: string;
  readonly options: Table;
  /** The words that may follow the name, as `--help` shows them: `<verb> [model ...]`. None may unless this is there. */
  readonly operands?: string;
  /**
   * What a shell offers for each operand in turn, the last for all that follow: words, or the names of models or runs.
   * Files unless told.
   */
  readonly offers?: readonly (readonly string[] | 'models' | 'runs')[];
  /** Refuses operands before options are read, which are others for a command that somebody had in mind. */
  readonly checkOperands?: (operands: readonly string[]) => void;
  /**
   * Does the work and returns the exit code. An option `config` has been followed already; what the operands mean is for
   * the command to check. `given` names the options that were given, on the command line or in a configuration file.
   */
  run(values: ValuesOf<Table>, operands: readonly string[], given: ReadonlySet<string>): Promise<number>;
}
