// What this machine offers of NVIDIA's: a GPU, its driver and the CUDA libraries, asked without loading TensorFlow.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The first file called `name` on PATH, or undefined. */
export function findOnPath(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/**
 * Whether an NVIDIA GPU can be used here. The driver's device file is the sign; /proc/driver/nvidia alone is not, since
 * a container without GPUs shows its host's. Where the file has not been made yet, `nvidia-smi -L` makes it.
 */
export function hasNvidiaGpu(): boolean {
  if (existsSync('/dev/nvidiactl')) return true;
  if (existsSync('/dev/dxg') && existsSync('/usr/lib/wsl/lib/libcuda.so.1')) return true;
  return findOnPath('nvidia-smi') !== undefined && /^GPU \d/m.test(askNvidiaSmi('-L'));
}

/** The driver's version, or undefined without one. */
export function driverVersion(): string | undefined {
  const asked = /^[\d.]+/.exec(askNvidiaSmi('--query-gpu=driver_version', '--format=csv,noheader'))?.[0];
  if (asked !== undefined || !existsSync('/proc/driver/nvidia/version')) return asked;
  return /\b(\d{3,}\.[\d.]+)\b/.exec(readFileSync('/proc/driver/nvidia/version', 'utf8'))?.[1];
}

/** Each GPU's name, memory and compute capability, as nvidia-smi says them. */
export function listGpus(): string[] {
  const answer = askNvidiaSmi('--query-gpu=name,memory.total,compute_cap', '--format=csv,noheader');
  return answer.split('\n').filter(Boolean);
}

/** Megabytes (2^20 bytes) in use on all GPUs together, whoever uses them; 0 where there is none. */
export function gpuMegabytesInUse(): number {
  const answer = askNvidiaSmi('--query-gpu=memory.used', '--format=csv,noheader,nounits');
  return answer.split('\n').reduce((total, line) => total + Number(line), 0);
}

/** A library that TensorFlow opens at run time. */
export interface GpuLibrary {
  name: string;
  purpose: string;
  /** Whether TensorFlow goes without any GPU when this one is missing. */
  isNeeded: boolean;
  /** Where it was found; undefined when it is missing. */
  path: string | undefined;
}

const libraryNames: readonly [name: string, purpose: string, isNeeded: boolean][] = [
  ['libcuda.so.1', 'the driver', true],
  ['libcudart.so.12', 'CUDA runtime', true],
  ['libcublas.so.12', 'matrix products', true],
  ['libcublasLt.so.12', 'matrix products', true],
  ['libcudnn.so.9', 'convolutions', true],
  ['libcufft.so.11', 'Fourier transforms', true],
  ['libcusolver.so.11', 'linear solvers', true],
  ['libcusparse.so.12', 'sparse matrices', true],
  ['libnvJitLink.so.12', 'needed by cuSOLVER and cuSPARSE', true],
  ['libnvrtc.so.12', 'compiles kernels for cuDNN', false],
  ['libcupti.so.12', 'profiling', false],
  ['libnccl.so.2', 'several GPUs', false],
];

/**
 * Looks for each library that TensorFlow's CUDA build opens where the system's loader would: in the `nvidia` folder
 * beside TensorFlow (when `root` is given), on LD_LIBRARY_PATH and in the loader's cache.
 */
export function findGpuLibraries(root: string | undefined): GpuLibrary[] {
  const own = root === undefined ? [] : nvidiaFolders(join(root, 'nvidia'));
  const folders = [...own, ...(process.env['LD_LIBRARY_PATH'] ?? '').split(delimiter).filter(Boolean)];
  const known = loaderCache();
  return libraryNames.map(([name, purpose, isNeeded]) => {
    const path = folders.map((folder) => join(folder, name)).find((candidate) => existsSync(candidate));
    return { name, purpose, isNeeded, path: path ?? known.get(name) };
  });
}

function nvidiaFolders(parent: string): string[] {
  return existsSync(parent) ? readdirSync(parent).map((name) => join(parent, name, 'lib')) : [];
}

/** The libraries in the system loader's cache: path by name. */
function loaderCache(): Map<string, string> {
  const program = findOnPath('ldconfig') ?? '/sbin/ldconfig';
  const { stdout } = spawnSync(program, ['-p'], { encoding: 'utf8', timeout: 10_000 });
  const lines = [...(stdout ?? '').matchAll(/^\s+(\S+) \(.*\) => (\S+)$/gm)];
  return new Map(lines.map(([, name = '', path = '']) => [name, path]));
}

function askNvidiaSmi(...args: string[]): string {
  const { status, stdout } = spawnSync('nvidia-smi', args, { encoding: 'utf8', timeout: 10_000 });
  return status === 0 ? stdout.trim() : '';
}
