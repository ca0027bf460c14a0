// What a shell offers for the word that is being typed: commands, options and values, from the very tables that the command
// line is read by.

import type { Command } from './command.js';
import { findOption } from './given.js';
import type { OptionSpec, OptionTable } from './spec.js';

/** Where words come from that no table holds. */
export interface WordSources {
  models(): Promise<readonly string[]>;
  /** Runs below a root folder, or below the usual one. */
  runs(rootDir: string | undefined): readonly string[];
}

/** Options whose values a source knows, by name, in the table of whichever command. */
const valueSources: Readonly<Record<string, keyof WordSources>> = { model: 'models', run: 'runs', run_name: 'runs' };

/**
 * The words that may take the place of the last of `words`, which are those after the program's name up to the cursor; none
 * where it is for the shell to offer files. A word that ends in `=` goes on. `commands`: the first is the default one.
 */
export async function completions(
  words: readonly string[],
  commands: readonly Command[],
  sources: WordSources,
): Promise<readonly string[]> {
  const before = joinAssignments(words);
  const current = before.pop() ?? '';
  const named = commands.find(({ name }) => name === before[0]);
  const command = named ?? commands[0];
  if (!command) return [];
  const found = await wordsFor(current);
  return found.filter((word) => word.startsWith(current));

  async function wordsFor(word: string): Promise<readonly string[]> {
    const { options } = command as Command;
    const [, assigned] = /^--([^=]+)=/.exec(word) ?? [];
    if (assigned !== undefined) return (await valuesOf(assigned)).map((value) => `--${assigned}=${value}`);
    if (word.startsWith('-')) return optionWords(options, word);
    const name = optionBefore(before.at(-1), options);
    if (name !== undefined) return valuesOf(name);
    if (before.length === 0) return commands.map(({ name }) => name);
    const offers = named?.offers ?? [];
    const offered = offers[operandCount(before.slice(1), options)] ?? offers.at(-1) ?? [];
    return typeof offered === 'string' ? fromSource(offered) : offered;
  }

  async function valuesOf(name: string): Promise<readonly string[]> {
    const option = findOption((command as Command).options, name);
    if (!option) return [];
    const { isFlag, choices } = option.spec;
    const source = valueSources[option.name];
    return isFlag ? ['True', 'False'] : source ? fromSource(source) : choices;
  }

  async function fromSource(source: keyof WordSources): Promise<readonly string[]> {
    if (source === 'models') return sources.models();
    const given = before.findLast((word) => /^--root[-_]dir=/.test(word));
    return sources.runs(given?.replace(/^[^=]*=/, ''));
  }
}

/** Bash takes `--name=value` for three words. */
function joinAssignments(words: readonly string[]): string[] {
  const joined: string[] = [];
  let isOpen = false;
  for (const word of words) {
    const last = joined.at(-1);
    const continues: boolean = last !== undefined && (isOpen || (word === '=' && /^--[^=]+$/.test(last)));
    if (continues) joined[joined.length - 1] = last + word;
    else joined.push(word);
    isOpen = continues && word === '=';
  }
  return joined;
}

/** Names with dashes are offered to whoever has begun to write one so. */
function optionWords(options: OptionTable, word: string): string[] {
  const written = (name: string) => (/^--[^_]*[^-_]-/.test(word) ? name.replaceAll('_', '-') : name);
  const isNegated = word.startsWith('--no-');
  const all = Object.entries(options).flatMap(([name, spec]) => {
    if (isNegated) return spec.isFlag || spec.isAbsence ? [`--no-${written(name)}`] : [];
    return [`--${written(name)}${isBare(spec) ? '' : '='}`];
  });
  return isNegated ? all : [...all, '--help', '--version'];
}

const isBare = ({ isFlag, bare }: OptionSpec<unknown>) => isFlag || bare !== undefined;

/** The option whose value comes after this word, if one does. */
function optionBefore(word: string | undefined, options: OptionTable): string | undefined {
  const [, name] = /^--([^=]+)$/.exec(word ?? '') ?? [];
  const option = name === undefined ? undefined : findOption(options, name);
  return option && !isBare(option.spec) ? option.name : undefined;
}

/** How many of the words are operands: neither options nor their values. */
function operandCount(words: readonly string[], options: OptionTable): number {
  return words.filter((word, index) => !word.startsWith('-') && !optionBefore(words[index - 1], options)).length;
}
