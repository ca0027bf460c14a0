// How much memory Linux leaves this process.

import { dirname, join } from 'node:path';
import { readableText } from '../readable-text.js';

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
