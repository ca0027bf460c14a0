// The facts that `doctor` prints: everything about this machine and this installation that decides whether and how fast
// training runs. Gathering them installs nothing and never throws because something is missing.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../errors.js';
import { readableText } from '../readable-text.js';
import {
  cacheFolder,
  chosenVariant,
  findInstallation,
  type Installation,
  sitePath,
  tensorflowFolder,
  tfjsPackage,
} from './cache.js';
import { driverVersion, findGpuLibraries, type GpuLibrary, hasNvidiaGpu, listGpus } from './gpu.js';
import { runCommand } from './install-command.js';
import { findPython } from './install-wheels.js';
import { processorFlags } from './processor.js';
import { folderBytes } from './sizes.js';

export interface Facts {
  versions: Versions;
  device: DeviceFacts;
  processor: ProcessorFacts;
  threads: { cores: number; quotaCores: number | undefined; variables: Record<string, string | undefined> };
  places: Place[];
}

/** Each program's version; undefined when it was not found. */
export interface Versions {
  deepCnn: string;
  node: string;
  npm: string | undefined;
  python: string | undefined;
  pip: string | undefined;
  compiler: string | undefined;
  tfjs: string | undefined;
  tensorflow: string | undefined;
}

export interface DeviceFacts {
  installation: Installation | undefined;
  chosen: 'cpu' | 'cuda' | undefined;
  /** The folder that DEEP_CNN_LIBTENSORFLOW names. */
  site: string | undefined;
  /** What TensorFlow runs on; undefined when it is not installed or does not load. */
  inUse: 'cpu' | 'cuda' | undefined;
  /** Why TensorFlow did not load. */
  failure: string | undefined;
  hasGpu: boolean;
  gpus: string[];
  driver: string | undefined;
  libraries: GpuLibrary[];
}

export interface ProcessorFacts {
  model: string;
  memoryBytes: number;
  /** The instruction sets that matter here, by name, and whether this processor has them. */
  features: Record<string, boolean>;
}

export interface Place {
  name: string;
  path: string;
  /** Undefined when nothing is there. */
  bytes: number | undefined;
}

const packageRoot = fileURLToPath(new URL('../..', import.meta.url));

/** Gathers all facts; takes a few seconds, most of them to load TensorFlow. */
export async function gatherFacts(): Promise<Facts> {
  const installation = findInstallation();
  const device = await gatherDevice(installation);
  return {
    versions: await gatherVersions(installation),
    device,
    processor: gatherProcessor(),
    threads: {
      cores: availableParallelism(),
      quotaCores: quotaCores(),
      variables: Object.fromEntries(threadVariables.map((name) => [name, process.env[name]])),
    },
    places: gatherPlaces(installation),
  };
}

const threadVariables = ['TF_NUM_INTRAOP_THREADS', 'TF_NUM_INTEROP_THREADS', 'OMP_NUM_THREADS', 'UV_THREADPOOL_SIZE'];

async function gatherVersions(installation: Installation | undefined): Promise<Versions> {
  const own = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
  const firstLine = async (command: string, ...args: string[]) => {
    const { status, stdout } = await runCommand(command, args);
    return status === 0 ? stdout.split('\n')[0]?.trim() : undefined;
  };
  const python = (await firstLine('python3', '--version'))?.replace('Python ', '');
  return {
    deepCnn: own.version,
    node: process.versions.node,
    npm: await firstLine('npm', '--version'),
    python,
    pip: await findPython().then(
      ({ pip, pipVersion }) => `${pipVersion} (${pip.join(' ')})`,
      () => undefined,
    ),
    compiler: await findCompiler(firstLine),
    tfjs: orUndefined(() => tfjsPackage().version),
    tensorflow: installation?.version,
  };
}

async function findCompiler(firstLine: (command: string, ...args: string[]) => Promise<string | undefined>) {
  const own = process.env['CXX']?.trim();
  for (const command of own ? [own] : ['g++', 'clang++', 'c++']) {
    const [program = '', ...args] = command.split(/\s+/);
    const line = await firstLine(program, ...args, '--version');
    if (line !== undefined) return own ? `${line} (CXX)` : line;
  }
  return undefined;
}

async function gatherDevice(installation: Installation | undefined): Promise<DeviceFacts> {
  const loaded = installation && (await tryToLoad());
  const hasGpu = hasNvidiaGpu();
  const mattersHere = hasGpu || installation?.variant === 'cuda';
  return {
    installation,
    chosen: chosenVariant(),
    site: sitePath(),
    inUse: loaded?.device,
    failure: loaded?.failure,
    hasGpu,
    gpus: hasGpu ? listGpus() : [],
    driver: driverVersion(),
    libraries: mattersHere ? findGpuLibraries(installation?.variant === 'cuda' ? installation.root : undefined) : [],
  };
}

async function tryToLoad(): Promise<{ device?: 'cpu' | 'cuda'; failure?: string }> {
  try {
    const { loadTensorflow } = await import('./load.js');
    return { device: (await loadTensorflow('auto')).device };
  } catch (error) {
    return { failure: messageOf(error) };
  }
}

function gatherProcessor(): ProcessorFacts {
  const flags = processorFlags();
  const names =
    process.arch === 'arm64'
      ? ['asimd', 'bf16', 'i8mm', 'sve']
      : ['avx', 'avx2', 'fma', 'avx512f', 'avx512_bf16', 'amx_tile', 'amx_bf16'];
  return {
    model: cpus()[0]?.model.trim() || 'unknown',
    memoryBytes: totalmem(),
    features: Object.fromEntries(names.map((name) => [name, flags.has(name)])),
  };
}

/** How many cores a container's quota lets this process use; undefined without one. */
function quotaCores(): number | undefined {
  const [quota, period] = (readableText('/sys/fs/cgroup/cpu.max') || 'max').split(' ');
  return quota === undefined || quota === 'max' ? undefined : Number(quota) / Number(period);
}

function gatherPlaces(installation: Installation | undefined): Place[] {
  const place = (name: string, path: string): Place => ({
    name,
    path,
    bytes: existsSync(path) ? folderBytes(path) : undefined,
  });
  const installed = orUndefined(() => readdirSync(tensorflowFolder())) ?? [];
  const others = installed
    .filter((name) => join(tensorflowFolder(), name) !== installation?.root && /^(\d|site-|\.partial-)/.test(name))
    .map((name) =>
      place(name.startsWith('.partial-') ? 'unfinished' : 'TensorFlow too', join(tensorflowFolder(), name)),
    );
  const site = sitePath();
  return [
    place('program', packageRoot),
    place('npm packages', join(packageRoot, 'node_modules')),
    place('cache', cacheFolder()),
    ...(installation ? [place('TensorFlow', installation.root), place('its binding', installation.bindingPath)] : []),
    ...(installation?.jpegDecoderPath ? [place('JPEG decoder', installation.jpegDecoderPath)] : []),
    ...(installation?.kernelsPath ? [place('kernels', installation.kernelsPath)] : []),
    ...(installation?.gpuMemoryPath ? [place('GPU memory', installation.gpuMemoryPath)] : []),
    ...(site !== undefined && installation === undefined ? [place('your TensorFlow', site)] : []),
    ...others,
  ];
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
