// Whether this machine offers an NVIDIA GPU, asked without loading TensorFlow.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The first executable called `name` on PATH, or undefined. */
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
  const nvidiaSmi = findOnPath('nvidia-smi');
  if (nvidiaSmi === undefined) return false;
  const { status, stdout } = spawnSync(nvidiaSmi, ['-L'], { encoding: 'utf8', timeout: 10_000 });
  return status === 0 && /^GPU \d/m.test(stdout);
}
