import { UserError } from '../errors.js';
import type { TrainConfig } from '../options.js';
import { hasNvidiaGpu, listGpus } from '../tensorflow/gpu.js';

/** Throws a `UserError` where a run wants more GPUs than it may use here. */
export function requireGpus(wanted: number, device: 'auto' | 'cpu' | 'cuda', count: () => number = gpusInUse): void {
  if (wanted === 1) return;
  if (device === 'cpu') {
    throw new UserError(`--gpus=${wanted} and --device=cpu exclude each other`, { mend: 'Leave one of them out' });
  }
  const found = count();
  if (found >= wanted) return;
  throw new UserError(`--gpus=${wanted} are more GPUs than there are`, {
    expected: `at most ${found}`,
    found: `${wanted}`,
    mend: found === 0 ? 'See `deep-cnn doctor`' : 'Ask for fewer, or for more of them in the job',
  });
}

/** Throws a `UserError` where XLA is wanted with what it can't be had with. */
export function requireXla({
  xla,
  device,
  deterministic,
}: Pick<TrainConfig, 'xla' | 'device' | 'deterministic'>): void {
  if (!xla) return;
  if (device === 'cpu') {
    throw new UserError('--xla and --device=cpu exclude each other, as XLA compiles for GPUs here', {
      mend: 'Leave one of them out',
    });
  }
  if (deterministic) {
    throw new UserError('--xla and --deterministic exclude each other, as XLA may choose other kernels each time', {
      mend: 'Leave one of them out',
    });
  }
}

/** Those of the machine, or as many of them as CUDA_VISIBLE_DEVICES leaves. */
function gpusInUse(): number {
  const visible = process.env['CUDA_VISIBLE_DEVICES'];
  if (!hasNvidiaGpu()) return 0;
  const all = listGpus().length;
  if (visible === undefined) return all;
  const named = visible.split(',').filter((name) => name.trim() !== '');
  // CUDA stops at the first that it does not know.
  const unknown = named.findIndex((name) => name.trim() === '-1');
  return Math.min(all, unknown === -1 ? named.length : unknown);
}
