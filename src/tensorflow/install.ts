// Installs TensorFlow on first use: PyPI's libraries into the cache, and the addon compiled against them.

import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../errors.js';
import { acquireLock } from '../file-lock.mjs';
import {
  findInstallation,
  findSiteLibrary,
  findVariant,
  fittingVariant,
  type Installation,
  libraryFolder,
  readManifest,
  siteFolder,
  sitePath,
} from './cache.js';
import { installBinding } from './install-binding.js';
import { checkSpace, makeStaging, prepareCache, removeLeftovers } from './install-files.js';
import { installLibrary, recipes } from './install-library.js';
import { say } from './install-progress.js';
import { findPython, glibcMinor } from './install-wheels.js';

export interface EnsureOptions {
  /** What TensorFlow must be able to do; 'auto' takes what fits the machine or was chosen. */
  variant: 'auto' | 'cpu' | 'cuda';
  /** Install exactly `variant` and use it from now on ('auto' forgets an earlier choice). */
  remember?: boolean;
}

/**
 * Returns the installation to use, after installing it when it is missing: about 40 seconds and 0.8 GB for the CPU, a
 * few minutes and 5.7 GB for CUDA. Safe to interrupt and to run several times at once. A libtensorflow that
 * DEEP_CNN_LIBTENSORFLOW names always comes first. Throws a `UserError` that says what to do when something is missing.
 */
export async function ensureTensorflow({ variant, remember = false }: EnsureOptions): Promise<Installation> {
  const find = () => {
    if (variant === 'auto') return findInstallation();
    return remember && sitePath() === undefined ? findVariant(variant) : findInstallation(variant);
  };
  if (!remember) {
    const present = find();
    if (present !== undefined) return present;
  }

  const folder = prepareCache();
  const release = await acquireLock(join(folder, 'install.lock'), (holder) => {
    say(`TensorFlow is being installed by ${holder}; waiting for it`);
  });
  try {
    removeLeftovers(folder);
    if (remember && variant === 'auto') rmSync(join(folder, 'choice'), { force: true });
    if (find() === undefined) await install(variant);
    if (remember && variant !== 'auto') writeChoice(folder, variant);
    const installed = find();
    if (installed === undefined) throw new Error('internal: what was installed is not found');
    return installed;
  } finally {
    removeLeftovers(folder);
    release();
  }
}

async function install(variant: EnsureOptions['variant']): Promise<void> {
  checkPlatform();
  const site = sitePath();
  if (site !== undefined) return installSite(site);

  const wanted = variant === 'auto' ? fittingVariant() : variant;
  if (wanted === 'cuda' && process.arch !== 'x64') {
    throw new UserError('PyPI has TensorFlow with CUDA for x64 only', {
      found: process.arch,
      mend: 'Let DEEP_CNN_LIBTENSORFLOW name a folder with a libtensorflow of your own, or use --cpu',
    });
  }
  const root = libraryFolder(wanted);
  if (readManifest(root) === undefined) {
    const otherwise = wanted === 'cuda' ? ', or do without the GPU (`npx deep-cnn setup --cpu`)' : '';
    checkSpace(recipes[wanted].neededBytes, recipes[wanted].title, otherwise);
    await installLibrary(wanted, await findPython(), makeStaging(join(root, '..')));
  }
  const library = findSiteLibrary(root);
  if (library === undefined) throw new Error(`internal: ${root} lacks a part of TensorFlow`);
  await installBinding(root, library, '$ORIGIN/../tensorflow');
}

async function installSite(path: string): Promise<void> {
  const library = findSiteLibrary(path);
  if (library === undefined) {
    throw new UserError(`DEEP_CNN_LIBTENSORFLOW names ${path}, where no complete libtensorflow lies`, {
      expected:
        "lib/libtensorflow.so.2 (or libtensorflow_cc.so.2), lib/libtensorflow_framework.so.2 and include/tensorflow/c/c_api.h, or TensorFlow's Python package",
      mend: 'Correct the variable, or unset it to have TensorFlow installed',
    });
  }
  const folder = siteFolder(library);
  await installBinding(folder, library, join(library.library, '..'));
}

/** Throws a `UserError` where PyPI's TensorFlow does not run. */
function checkPlatform(): void {
  const isKnown = process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64');
  const minor = isKnown ? glibcMinor() : undefined;
  if (minor !== undefined && minor >= 17) return;
  throw new UserError('TensorFlow does not run on this system', {
    expected: 'Linux on x64 or arm64 with glibc 2.17 or newer',
    found: `${process.platform} on ${process.arch}${isKnown ? (minor ? ` with glibc 2.${minor}` : ' without glibc') : ''}`,
    mend: 'Use such a machine or a container with one (Debian, Ubuntu, Rocky)',
  });
}

function writeChoice(folder: string, variant: 'cpu' | 'cuda'): void {
  const staged = join(makeStaging(folder), 'choice');
  writeFileSync(staged, `${variant}\n`);
  renameSync(staged, join(folder, 'choice'));
}
