import { shellWord } from '../cluster/shell-word.js';
import { projectRoot } from '../options/paths.js';
import type { TrainConfig } from '../options.js';

/** The command that goes on with a run, ready for a shell. */
export function resumeCommand({ run_name: name, root_dir: root }: Pick<TrainConfig, 'run_name' | 'root_dir'>): string {
  const place = root === projectRoot() ? [] : [`--root_dir=${shellWord(root)}`];
  return ['npx deep-cnn --resume', `--run_name=${shellWord(name)}`, ...place].join(' ');
}
