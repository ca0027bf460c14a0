// `deep-cnn completion`: what makes a shell complete our commands, options and values. The scripts ask the program itself,
// which knows its tables, the models and the runs: `deep-cnn completion words` reads the words up to the cursor from
// standard input, one a line, and prints those that may take the last one's place.

import { basename, dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { exitCode, UserError } from '../errors.js';
import type { Command } from '../options/command.js';
import { completions, type WordSources } from '../options/completion.js';
import { quoted } from '../options/given.js';
import { projectRoot } from '../options/paths.js';
import { readableNames } from '../readable-names.js';
import { modelFile } from '../reporting/run-files.js';

// Bash breaks words at `=`, and replaces only what comes after.
const bash = `_deep_cnn() {
  local found IFS=$'\\n'
  found=$(printf '%s\\n' "\${COMP_WORDS[@]:1:COMP_CWORD}" | "$1" completion words 2> /dev/null)
  COMPREPLY=($found)
  if [[ \${COMP_WORDS[COMP_CWORD]} == = || \${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
    COMPREPLY=("\${COMPREPLY[@]#*=}")
  elif [[ $found == *= ]]; then
    compopt -o nospace
  fi
}
complete -o default -F _deep_cnn deep-cnn
`;

const zsh = `#compdef deep-cnn
_deep_cnn() {
  local -a found
  found=(\${(f)"$(print -rl -- "\${(@)words[2,CURRENT-1]}" "$PREFIX" | "$words[1]" completion words 2> /dev/null)"})
  if (( $#found )); then
    compadd -S '' -- \${(M)found:#*=}
    compadd -- \${found:#*=}
  else
    compset -P '*='
    _files
  fi
}
if [[ $funcstack[1] == _deep_cnn ]]; then _deep_cnn; else compdef _deep_cnn deep-cnn; fi
`;

const fish = `function __deep_cnn_words
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found (printf '%s\\n' $words[2..-1] "$current" | $words[1] completion words 2> /dev/null)
    if set -q found[1]
        printf '%s\\n' $found
    else
        set -l name (string match -r -- '^--[^=]+=' "$current")
        __fish_complete_path (string replace -r -- '^--[^=]+=' '' "$current") | string replace -r -- '^' "$name"
    end
end
complete -c deep-cnn -f -a '(__deep_cnn_words)'
`;

const scripts: Readonly<Record<string, string>> = { bash, zsh, fish };

/** The command, for a program with these commands, itself among them. */
export function completionCommand(commands: () => readonly Command[]): Command {
  const shells = Object.keys(scripts);
  return {
    name: 'completion',
    summary: 'Print what makes a shell complete commands, options, values, models and runs',
    options: {},
    operands: `[${shells.join(' | ')}]`,
    offers: [shells],
    run: async (_, [shell = basename(process.env['SHELL'] ?? ''), ...more]) => {
      const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined;
      if (more.length > 0 || (script === undefined && shell !== 'words')) {
        throw new UserError('Bad use of deep-cnn completion', {
          expected: `one of ${shells.join(', ')} after it`,
          found: [shell, ...more].map(quoted).join(' '),
        });
      }
      process.stdout.write(script ?? (await answer(commands())));
      return exitCode.ok;
    },
  };
}

async function answer(commands: readonly Command[]): Promise<string> {
  const words = (await text(process.stdin)).replace(/\n$/, '').split('\n');
  const found = await completions(words, commands, sources);
  return found.map((word) => `${word}\n`).join('');
}

const sources: WordSources = {
  models: async () => (await import('../models/registry.js')).modelNames(),
  runs: (rootDir = projectRoot()) => {
    const ending = '.safetensors';
    const names = readableNames(dirname(modelFile({ root_dir: rootDir, run_name: '' }))).filter((name) =>
      name.endsWith(ending),
    );
    return names.map((name) => name.slice(0, -ending.length)).filter((name) => !name.endsWith('.best'));
  },
};
