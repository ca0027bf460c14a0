// How large a batch there is room for on a processor. There, Linux ends a process that takes too much without a word, so
// that it has to be known beforehand. (A GPU's allocator says so, and nothing needs to be known.)

import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readableText } from '../readable-text.js';
import type { StepBatch, Steps } from './steps.js';

/** What is left alone, for the loader and everybody else. */
const spareShare = 0.1;

export interface RoomParts {
  /** Bytes that this process may still take. */
  available: () => number;
  /** Bytes that it had at most while `work` ran. */
  peakOf: (work: () => void) => number;
}

interface BatchSize {
  images: number;
  /** Side of an image. */
  crop: number;
  /** Bytes of memory that are promised to others, 0 by default. */
  reserved?: number;
}

/**
 * In how many parts a batch of so many images of side `crop` must be computed to fit into memory: measured on two small
 * batches, since a step's memory grows evenly with its images. 1 where it can't be measured. To be called before
 * anything large is read: memory that was freed would hide what the batches take. Weights are drawn on the way.
 */
export function partsThatFit(
  steps: Pick<Steps, 'gradients' | 'drawWeights'>,
  { images, crop, reserved = 0 }: BatchSize,
  { available, peakOf }: RoomParts = { available: availableBytes, peakOf: peakBytes },
): number {
  const few = Math.min(4, Math.floor(images / 4));
  if (few < 1) return 1;
  steps.drawWeights(0);
  const measured = (count: number) => peakOf(() => void steps.gradients(blankBatch(count, crop)));
  // The first run makes what all others use.
  measured(few);
  const room = Math.max(0, available() - reserved);
  const [small, large] = [measured(few), measured(2 * few)];
  const perImage = Math.max(0, large - small) / few;
  if (!Number.isFinite(perImage) || perImage === 0) return 1;
  const allowed = small + room * (1 - spareShare);
  const most = Math.max(1, Math.floor(few + (allowed - small) / perImage));
  return Math.ceil(images / most);
}

function blankBatch(images: number, crop: number): StepBatch {
  const pixels = new Uint8Array(Math.ceil((images * crop * crop * 3) / 4) * 4);
  // Not of one colour: no number is to be the same for all.
  for (let i = 0; i < pixels.length; i++) pixels[i] = (i * 2_654_435_761) >>> 24;
  return { pixels, labels: new Int32Array(images) };
}

/** Not a number where Linux doesn't tell. */
function peakBytes(work: () => void): number {
  try {
    // Forgets the peak until now (proc(5)).
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    return Number.NaN;
  }
  work();
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readableText('/proc/self/status'))?.[1];
  return 1024 * Number(kilobytes ?? Number.NaN);
}

/** What the machine has free, or what the limits of this process or of its job's or container's control groups leave. */
export function availableBytes(): number {
  const free = /^MemAvailable:\s+(\d+) kB/m.exec(readableText('/proc/meminfo'))?.[1];
  return Math.min(1024 * Number(free ?? Number.POSITIVE_INFINITY), ...processLimits(), ...groupLimits());
}

/** What `ulimit -d` and `ulimit -v` leave. */
function processLimits(): number[] {
  const [limits, status] = ['limits', 'status'].map((name) => readableText(join('/proc/self', name)));
  return (
    [
      ['Max data size', 'VmData'],
      ['Max address space', 'VmSize'],
    ] as const
  ).flatMap(([limitName, usedName]) => {
    const limit = new RegExp(`^${limitName}\\s+(\\d+)`, 'm').exec(limits ?? '')?.[1];
    const used = new RegExp(`^${usedName}:\\s+(\\d+) kB`, 'm').exec(status ?? '')?.[1];
    return limit === undefined || used === undefined ? [] : [Math.max(0, Number(limit) - 1024 * Number(used))];
  });
}

/** What each control group around this process leaves, by cgroups(7), version 2 or 1. */
function groupLimits(): number[] {
  const lines = readableText('/proc/self/cgroup').split('\n');
  return lines.flatMap((line) => {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === '') return limitsUpwards('/sys/fs/cgroup', path, ['memory.max', 'memory.current']);
    if (!controllers.split(',').includes('memory')) return [];
    return limitsUpwards('/sys/fs/cgroup/memory', path, ['memory.limit_in_bytes', 'memory.usage_in_bytes']);
  });
}

function limitsUpwards(root: string, path: string, [limitName, usedName]: readonly [string, string]): number[] {
  const left: number[] = [];
  for (let folder = join(root, path); folder.startsWith(root); folder = dirname(folder)) {
    const [limit, used] = [limitName, usedName].map((name) => numberIn(join(folder, name)));
    // What is cached of files makes way.
    const cached = /^(?:total_)?inactive_file (\d+)/m.exec(readableText(join(folder, 'memory.stat')))?.[1];
    if (limit !== undefined && used !== undefined) left.push(limit - used + Number(cached ?? 0));
  }
  return left.map((bytes) => Math.max(0, bytes));
}

function numberIn(path: string): number | undefined {
  const text = readableText(path).trim();
  return /^\d+$/.test(text) ? Number(text) : undefined;
}
