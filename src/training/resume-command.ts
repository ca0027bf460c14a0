import { projectRoot } from '../options/paths.js';
import type { TrainConfig } from '../options.js';

/** The command that goes on with a run, ready for a shell. */
export function resumeCommand({ run_name: name, root_dir: root }: Pick<TrainConfig, 'run_name' | 'root_dir'>): string {
  const place = root === projectRoot() ? [] : [`--root_dir=${quoted(root)}`];
  return ['npx deep-cnn --resume', `--run_name=${quoted(name)}`, ...place].join(' ');
}

/** As POSIX shells take it. */
function quoted(text: string): string {
  return /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
