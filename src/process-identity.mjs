// @ts-check
// Which process left something on a file system that many machines may share. A process number means something only on
// one host, between two boots, in one process namespace. Plain JavaScript, because scripts/setup.mjs needs it before
// anything has been compiled.

import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Where this machine's process numbers mean something: host, boot and process namespace, between spaces. */
export function machineId() {
  return `${hostname()} ${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
}

/**
 * When a process of this machine started, in clock ticks since boot; '' when it is gone, only waits to be reaped, or is
 * hidden from this user.
 *
 * @param {number} pid
 */
export function startTicks(pid) {
  try {
    const fields = statusFields(pid);
    return fields[0] === 'Z' || fields[0] === 'X' ? '' : (fields[19] ?? '');
  } catch {
    return '';
  }
}

/**
 * The fields of /proc/<pid>/stat from the third on: the second, the program's name, may hold spaces and parentheses.
 *
 * @param {number | string} pid
 */
export function statusFields(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/**
 * Whether the process of this machine lives that has this number and started then; undefined when that can't be known,
 * since clusters may hide the processes of others (`hidepid`). Process numbers are used again, so the start counts too.
 *
 * @param {{ pid: number, startTicks?: string }} process
 * @returns {boolean | undefined}
 */
export function isAlive({ pid, startTicks: started }) {
  const ticks = startTicks(pid);
  if (ticks !== '') return started === undefined || ticks === started;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM' ? undefined : false;
  }
}
