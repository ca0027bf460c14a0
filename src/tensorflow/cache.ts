// Where downloaded and compiled files lie, and which complete TensorFlow is among them.
//
//   <cache>/tensorflow/choice                      'cpu' or 'cuda', when the user has said which
//   <cache>/tensorflow/2.20.0-cpu-x64/             installed.json, tensorflow/*.so.2, nvidia/*/lib (cuda only)
//   <cache>/tensorflow/2.20.0-cpu-x64/binding-4.22.0-11/  installed.json, tfjs_binding.node, image_square.node,
//                                                  jpeg_decoder.node, kernels.node, gpu_memory.node
//   <cache>/tensorflow/site-<hash>-x64/binding-4.22.0-11/  the binding for a site's own libtensorflow
//
// A folder appears by one rename with its installed.json inside, which lists its files and their sizes.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { hasNvidiaGpu } from './gpu.js';

/** The TensorFlow release that is installed. */
export const tensorflowVersion = '2.20.0';

/** Which build of TensorFlow: PyPI's without a GPU, PyPI's with CUDA, or one that the site provides. */
export type Variant = 'cpu' | 'cuda' | 'site';

/** A complete TensorFlow: its libraries and the addon that was compiled against them. */
export interface Installation {
  variant: Variant;
  /** TensorFlow's version, such as 2.20.0. */
  version: string;
  /** The folder that holds the libraries. */
  root: string;
  /** The path of tfjs_binding.node. */
  bindingPath: string;
  /** The path of image_square.node. */
  imageSquarePath: string;
  /** The path of jpeg_decoder.node, where it could be built against this TensorFlow. */
  jpegDecoderPath: string | undefined;
  /** The path of kernels.node, where it could be built against this TensorFlow. */
  kernelsPath: string | undefined;
  /** The path of gpu_memory.node, where it could be built against this TensorFlow. */
  gpuMemoryPath: string | undefined;
}

/** A site's own libtensorflow: the files that it was found to consist of. */
export interface SiteLibrary {
  root: string;
  library: string;
  framework: string;
  includeFolder: string;
}

/** What a folder's installed.json says: the version, and each file's size in bytes by its path in the folder. */
export interface Manifest {
  version: string;
  files: Record<string, number>;
}

export const manifestName = 'installed.json';

/** The addons' file names in a binding's folder. */
export const bindingName = 'tfjs_binding.node';
export const imageSquareName = 'image_square.node';
export const jpegDecoderName = 'jpeg_decoder.node';
export const kernelsName = 'kernels.node';
export const gpuMemoryName = 'gpu_memory.node';

/** The folder for large files: $DEEP_CNN_CACHE, else $XDG_CACHE_HOME/deep-cnn, else ~/.cache/deep-cnn. */
export function cacheFolder(): string {
  const { DEEP_CNN_CACHE: own, XDG_CACHE_HOME: shared } = process.env;
  if (own) return resolve(own);
  return shared ? resolve(shared, 'deep-cnn') : join(homedir(), '.cache', 'deep-cnn');
}

/** The folder in the cache that holds every TensorFlow. */
export function tensorflowFolder(): string {
  return join(cacheFolder(), 'tensorflow');
}

/** The folder that $DEEP_CNN_LIBTENSORFLOW names, or undefined. */
export function sitePath(): string | undefined {
  const path = process.env['DEEP_CNN_LIBTENSORFLOW'];
  return path ? resolve(path) : undefined;
}

/** The folder of tfjs-node-gpu, with its sources, and its version. */
export function tfjsPackage(): { folder: string; version: string } {
  const path = createRequire(import.meta.url).resolve('@tensorflow/tfjs-node-gpu/package.json');
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string };
  return { folder: dirname(path), version };
}

/** The folder in the cache of PyPI's TensorFlow with or without CUDA. */
export function libraryFolder(variant: 'cpu' | 'cuda'): string {
  return join(tensorflowFolder(), `${tensorflowVersion}-${variant}-${process.arch}`);
}

/** Changes with the addons' own sources, so that older ones are built again. */
const bindingRevision = 16;

/** The folder of the addons that belong to the libraries in `folder`, for the tfjs that is installed. */
export function bindingFolder(folder: string): string {
  return join(folder, `binding-${tfjsPackage().version}-${bindingRevision}`);
}

/** The folder in the cache that belongs to a site's library; it changes when a link leads to another version. */
export function siteFolder({ library }: SiteLibrary): string {
  const key = createHash('sha256').update(realpathSync(library)).digest('hex').slice(0, 12);
  return join(tensorflowFolder(), `site-${key}-${process.arch}`);
}

/**
 * Finds libtensorflow and its headers below a site's folder, laid out as TensorFlow's C archive or tfjs's `deps`
 * (lib/, include/) or as a TensorFlow Python package; undefined when a part is missing.
 */
export function findSiteLibrary(root: string): SiteLibrary | undefined {
  const names = ['libtensorflow_cc.so.2', 'libtensorflow.so.2', 'libtensorflow_cc.so', 'libtensorflow.so'];
  for (const folder of ['lib', '.', 'tensorflow', 'lib64']) {
    const inside = (name: string) => join(root, folder, name);
    const library = names.map(inside).find((path) => existsSync(path));
    const framework = ['libtensorflow_framework.so.2', 'libtensorflow_framework.so'].map(inside).find(existsSync);
    const includeFolder = [join(root, 'include'), inside('include')].find((path) =>
      existsSync(join(path, 'tensorflow/c/c_api.h')),
    );
    if (library && framework && includeFolder) return { root, library, framework, includeFolder };
  }
  return undefined;
}

/** Reads a folder's manifest; undefined unless every file that it lists is there in full. */
export function readManifest(folder: string): Manifest | undefined {
  try {
    const manifest = JSON.parse(readFileSync(join(folder, manifestName), 'utf8')) as Manifest;
    const whole = Object.entries(manifest.files).every(([name, bytes]) => statSync(join(folder, name)).size === bytes);
    return whole ? manifest : undefined;
  } catch {
    return undefined;
  }
}

/** The variant that the user chose with `deep-cnn setup --cpu|--cuda`, or undefined. */
export function chosenVariant(): 'cpu' | 'cuda' | undefined {
  try {
    const choice = readFileSync(join(tensorflowFolder(), 'choice'), 'utf8').trim();
    return choice === 'cpu' || choice === 'cuda' ? choice : undefined;
  } catch {
    return undefined;
  }
}

/** The variant that fits this machine and the user's choice; CUDA's works without a GPU, the CPU's not with one. */
export function fittingVariant(): 'cpu' | 'cuda' {
  return chosenVariant() ?? (process.arch === 'x64' && hasNvidiaGpu() ? 'cuda' : 'cpu');
}

/**
 * The complete installation to use, or undefined when it has still to be installed. The site's comes first when
 * DEEP_CNN_LIBTENSORFLOW is set. `wanted` says what it must be able to do: 'cuda' needs CUDA, 'cpu' takes either.
 * Without `wanted` it is the user's choice where one was made; else CUDA's on a machine with an NVIDIA GPU, where the
 * CPU's does not fit, and either (the CPU's first) on one without.
 */
export function findInstallation(wanted?: 'cpu' | 'cuda'): Installation | undefined {
  const site = sitePath();
  if (site !== undefined) return findSite(site);
  const variant = wanted ?? fittingVariant();
  if (variant === 'cuda') return findVariant('cuda');
  const mayBeCuda = wanted !== undefined || chosenVariant() === undefined;
  return findVariant('cpu') ?? (mayBeCuda ? findVariant('cuda') : undefined);
}

/** The complete installation of exactly this variant, or undefined. */
export function findVariant(variant: 'cpu' | 'cuda'): Installation | undefined {
  const root = libraryFolder(variant);
  const manifest = readManifest(root);
  return manifest && withBinding({ variant, version: manifest.version, root }, bindingFolder(root));
}

function findSite(path: string): Installation | undefined {
  const site = findSiteLibrary(path);
  if (site === undefined) return undefined;
  const folder = bindingFolder(siteFolder(site));
  const manifest = readManifest(folder);
  return manifest && withBinding({ variant: 'site', version: manifest.version, root: path }, folder);
}

type Libraries = Pick<Installation, 'variant' | 'version' | 'root'>;

function withBinding(libraries: Libraries, folder: string): Installation | undefined {
  const manifest = readManifest(folder);
  if (manifest === undefined) return undefined;
  const ifBuilt = (name: string) => (name in manifest.files ? join(folder, name) : undefined);
  return {
    ...libraries,
    bindingPath: join(folder, bindingName),
    imageSquarePath: join(folder, imageSquareName),
    jpegDecoderPath: ifBuilt(jpegDecoderName),
    kernelsPath: ifBuilt(kernelsName),
    gpuMemoryPath: ifBuilt(gpuMemoryName),
  };
}
