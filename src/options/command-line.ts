// The command line through yargs. yargs finds commands, options and values and lays out the help; what a value means is
// left to the option table, so that a configuration file is read by the same rules.
import yargs, { type Argv } from 'yargs';
import { UserError } from '../errors.js';
import type { Command } from './command.js';
import { findOption, type Given, type GivenOptions, quoted } from './given.js';
import { didYouMean, nearest } from './nearest.js';

export interface CommandLine {
  readonly command: Command;
  readonly given: GivenOptions;
  /** The words after the command's name. */
  readonly operands: readonly string[];
}

export interface CommandLineSettings {
  /** The first one is the default command. */
  commands: readonly Command[];
  version: string;
  /** Width of the help text. */
  columns: number;
}

// Options stay untyped for yargs, so that a bare `--name` (true), `--name=` ('') and `--no-name` (false) differ.
const parserConfiguration = {
  'boolean-negation': true,
  'camel-case-expansion': false,
  'dot-notation': false,
  'parse-numbers': false,
  'parse-positional-numbers': false,
};

/**
 * Finds the command and what is given for it. Prints the help or the version and returns undefined when those are asked for.
 * @throws UserError for an unknown command or option, a repeated option, or an argument that belongs to none.
 */
export function readCommandLine(
  args: readonly string[],
  { commands, version, columns }: CommandLineSettings,
): CommandLine | undefined {
  const written = new Map<string, string>();
  const named = args.map((argument) => underscoreName(argument, written, commands));
  const normalised = closeFlags(named, commands);
  let chosen: { command: Command; parsed: Record<string, unknown> } | undefined;

  const parser = yargs(normalised)
    .scriptName('deep-cnn')
    .locale('en')
    .parserConfiguration(parserConfiguration)
    .usage('Usage: $0 [command] [options]')
    .version(version)
    .help('help')
    .alias('h', 'help')
    .describe('help', 'Show this text; after a command, that command alone')
    .describe('version', 'Show the version')
    .wrap(columns)
    .exitProcess(false)
    .fail(false);
  for (const [index, command] of commands.entries()) {
    parser.command(
      index === 0 ? [command.name, '$0'] : command.name,
      command.summary,
      (builder) => describeOptions(builder, command),
      (parsed) => {
        chosen = { command, parsed };
      },
    );
  }
  parser.parseSync();
  if (chosen === undefined) return undefined;
  const { command, parsed } = chosen;
  const operands = readOperands(parsed['_'], command, commands);
  command.checkOperands?.(operands);
  return { command, given: collect(parsed, command, written), operands };
}

function describeOptions(builder: Argv, { name: command, options, operands }: Command): Argv {
  if (operands !== undefined) builder.usage(`Usage: $0 ${command} ${operands} [options]`);
  for (const [name, spec] of Object.entries(options)) {
    builder.option(name, {
      describe: `${spec.help} [${spec.type}]`,
      defaultDescription: spec.defaultText,
      group: `${spec.group}:`,
    });
  }
  return builder.group(['help', 'version'], 'Help:');
}

/** `--batch-size=8` becomes `--batch_size=8`; `written` remembers how the user wrote each name. */
function underscoreName(argument: string, written: Map<string, string>, commands: readonly Command[]): string {
  // yargs would read -epochs as six options of one letter, one of them -h.
  if (/^-[^-\d.]./.test(argument)) {
    const name = argument.slice(1).replace(/=.*$/s, '');
    throw unknownOption(
      `-${name}`,
      name,
      commands.flatMap((command) => Object.keys(command.options)),
    );
  }
  const match = /^--(no-)?([^=]+)(.*)$/s.exec(argument);
  if (match === null) return argument;
  const [, negation = '', name = '', rest = ''] = match;
  // Names such as toString, which every object has, make yargs stumble.
  if (name in {}) throw unknownOption(argument, name, []);
  const underscored = name.replaceAll('-', '_');
  written.set(underscored, `--${negation}${name}`);
  return `--${negation}${underscored}${rest}`;
}

/** Where operands may follow, a flag before one does not take it for its value: `--json photos` is `--json=True photos`. */
function closeFlags(args: readonly string[], commands: readonly Command[]): string[] {
  const command = commands.find(({ name }) => name === args[0]);
  if (command?.operands === undefined) return [...args];
  return args.map((argument, index) => {
    const spec = findOption(command.options, argument.replace(/^--/, ''))?.spec;
    const next = args[index + 1];
    const isAlone = next === undefined || /^-./.test(next) || spec?.parse(next) !== undefined;
    return argument.startsWith('--') && spec?.isFlag && !isAlone ? `${argument}=True` : argument;
  });
}

function readOperands(positionals: unknown, command: Command, commands: readonly Command[]): readonly string[] {
  const words = Array.isArray(positionals) ? positionals.map(String) : [];
  const isNamed = words[0] === command.name;
  const operands = isNamed ? words.slice(1) : words;
  const [stray] = operands;
  if (stray === undefined || (isNamed && command.operands !== undefined)) return operands;
  if (isNamed) {
    throw new UserError(`Unexpected argument ${quoted(stray)}`, { mend: `Options of ${command.name} start with --` });
  }
  const suggestion = nearest(
    stray,
    commands.map(({ name }) => name),
  );
  throw new UserError(`Unknown command ${quoted(stray)}`, {
    mend: didYouMean(suggestion, 'See deep-cnn --help for commands and options'),
  });
}

function collect(
  parsed: Record<string, unknown>,
  command: Command,
  written: ReadonlyMap<string, string>,
): GivenOptions {
  const given = new Map<string, Given>();
  for (const [key, value] of Object.entries(parsed)) {
    if (['_', '$0', 'help', 'h', 'version'].includes(key)) continue;
    const where = written.get(key.replace(/^no-/, '')) ?? `${key.length > 1 ? '--' : '-'}${key}`;
    const option = findOption(command.options, key);
    const negated = key.startsWith('no-') ? findOption(command.options, key.slice(3))?.spec : undefined;
    if (negated?.isFlag || negated?.isAbsence) {
      throw new UserError(`${where} takes no value`, { mend: `Write ${where} alone, or --${key.slice(3)}=False` });
    }
    if (option === undefined) throw unknownOption(where, key, Object.keys(command.options));
    if (Array.isArray(value)) {
      throw new UserError(`${where} is given ${value.length} times`, { mend: 'Give it once' });
    }
    if (typeof value !== 'string' && typeof value !== 'boolean') {
      throw new Error(`internal: ${where} was parsed as ${typeof value}`);
    }
    given.set(option.name, { value, where });
  }
  return given;
}

function unknownOption(written: string, name: string, known: readonly string[]): UserError {
  const suggestion = nearest(name.replace(/^no[-_]/, ''), known);
  return new UserError(`Unknown option ${quoted(written).slice(1, -1)}`, {
    mend: didYouMean(suggestion && `--${suggestion}`, 'See deep-cnn --help for all options'),
  });
}
