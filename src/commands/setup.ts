// `deep-cnn setup`: TensorFlow and the bindings, before the first command that needs them would see to it by itself.
// `npm run setup` in a clone ends here, too.

import { exitCode, UserError } from '../errors.js';
import type { Command } from '../options/command.js';
import { flag } from '../options/spec.js';

const group = 'What to install';

const options = {
  cpu: flag({ group, help: 'TensorFlow for the processor (0.8 GB), and use it from now on', default: false }),
  cuda: flag({ group, help: 'TensorFlow for NVIDIA GPUs (5.7 GB), and use it from now on', default: false }),
  auto: flag({
    group,
    help: 'Forget an earlier choice: CUDA where there is an NVIDIA GPU, else the processor',
    default: false,
  }),
  check: flag({ group, help: 'Nothing: say what is there', default: false }),
};

/** A build of TensorFlow, or `auto`, the one that fits the machine. */
type Choice = 'cpu' | 'cuda' | 'auto';

export const setupCommand: Command<typeof options> = {
  name: 'setup',
  summary: 'Install TensorFlow and compile its bindings, where that is still to do',
  options,
  run: async (values) => {
    const chosen = (['cpu', 'cuda', 'auto', 'check'] as const).filter((name) => values[name]);
    const [choice, ...more] = chosen;
    if (more.length > 0) {
      throw new UserError('deep-cnn setup takes one option', {
        found: chosen.map((name) => `--${name}`).join(' '),
        mend: 'Choose one of them',
      });
    }
    process.stdout.write(`${await (choice === 'check' ? checkTensorflow() : setUpTensorflow(choice))}\n`);
    return exitCode.ok;
  },
};

/**
 * Installs TensorFlow where it is not there yet; `choice` is kept for the time to come, and `auto` forgets the one before.
 * Returns a line that says what is in use. Throws a `UserError` where something is missing.
 */
export async function setUpTensorflow(choice?: Choice): Promise<string> {
  const { ensureTensorflow } = await import('../tensorflow/install.js');
  return inUse(await ensureTensorflow({ variant: choice ?? 'auto', remember: choice !== undefined }));
}

/** A line that says what is in use. Throws a `UserError` where nothing is. */
async function checkTensorflow(): Promise<string> {
  const { cacheFolder, findInstallation } = await import('../tensorflow/cache.js');
  const installation = findInstallation();
  if (installation) return inUse(installation);
  throw new UserError('TensorFlow is not set up', {
    expected: `one in ${cacheFolder()}`,
    mend: 'Run `npx deep-cnn setup`, or any command that needs it',
  });
}

function inUse({ version, variant, root }: { version: string; variant: string; root: string }): string {
  return `TensorFlow ${version} (${variant}) in ${root}`;
}
