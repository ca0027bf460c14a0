// Optuna, from PyPI, in a folder of its own in the cache: <cache>/optuna/<version>-<python>-<arch>[-postgresql]/. No Python
// environment is touched.

import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { acquireLock } from '../file-lock.mjs';
import { cacheFolder, readManifest } from '../tensorflow/cache.js';
import { runCommand } from '../tensorflow/install-command.js';
import { makeFolder, makeStaging, publishFolder, removeLeftovers } from '../tensorflow/install-files.js';
import { say, showStep } from '../tensorflow/install-progress.js';
import { explainPip, findPython } from '../tensorflow/install-wheels.js';
import { folderBytes } from '../tensorflow/sizes.js';

const optunaVersion = '5.0.0';

/** A Python, and the folder in which it finds Optuna. */
export interface Optuna {
  python: string;
  folder: string;
}

/**
 * Finds Optuna in the cache, and installs it where it is not there: 140 MB, with what the storage's URL needs. Safe to
 * interrupt and to run several times at once.
 * @throws UserError where Python or pip is missing, or pip can't get it.
 */
export async function ensureOptuna(storage?: string): Promise<Optuna> {
  const tag = "import sys; print('cp%d%d' % sys.version_info[:2], end='')";
  const { stdout: version } = await runCommand('python3', ['-c', tag]);
  const isPostgres = storage?.startsWith('postgresql') ?? false;
  const parent = join(cacheFolder(), 'optuna');
  const folder = join(parent, `${optunaVersion}-${version}-${process.arch}${isPostgres ? '-postgresql' : ''}`);
  if (readManifest(folder)) return { python: 'python3', folder };

  const { python, pip, pipVersion } = await findPython('A sweep');
  makeFolder(parent);
  const release = await acquireLock(join(parent, 'install.lock'), (holder) =>
    say(`Optuna is being installed by ${holder}; waiting for it`),
  );
  try {
    removeLeftovers(parent);
    if (readManifest(folder)) return { python, folder };
    const staged = makeStaging(parent);
    const scratch = join(staged, 'scratch');
    mkdirSync(scratch);
    const requirements = [`optuna==${optunaVersion}`, ...(isPostgres ? ['psycopg[binary]'] : [])];
    const [command, ...args] = pip;
    const options = ['--only-binary=:all:', '--no-cache-dir', '--quiet', '--retries=3', '--no-warn-script-location'];
    const target = join(staged, 'packages');
    const { status, stderr } = await showStep(
      'installing Optuna',
      () =>
        runCommand(command, [...args, 'install', ...options, '--target', target, ...requirements], {
          ...{ TMPDIR: scratch, PIP_REQUIRE_VIRTUALENV: '0', PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_NO_INPUT: '1' },
          PIP_USER: '0',
        }),
      { bytesDone: () => (existsSync(staged) ? folderBytes(staged) : 0) },
    );
    if (status !== 0) throw explainPip(requirements.join(' and '), stderr, pipVersion);
    // All of its thousands of files would be looked at by each command.
    publishFolder(target, folder, optunaVersion, (name) => /^[^/]+\.dist-info\/RECORD$/.test(name));
    return { python, folder };
  } finally {
    removeLeftovers(parent);
    release();
  }
}
