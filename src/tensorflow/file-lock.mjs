// @ts-check
// A lock between processes, made of files only, so that it works on every file system and across the machines that
// share one. Plain JavaScript, because scripts/setup.mjs needs it before anything has been compiled.
//
// The lock is a file that names its holder. A holder on this machine is judged by its process; one elsewhere by the
// file's time, which a live holder renews. The children of a holder inherit its token in their environment: when a dead
// holder's lock is taken over, what it left running (npm, pip, a compiler) is ended first.

import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * @typedef {object} Holder
 * @property {string} token
 * @property {string} machine Host, boot and process namespace: where `pid` means something.
 * @property {number} pid
 * @property {string} startTicks When the process started, since process numbers are used again.
 */

const tokenVariable = 'DEEP_CNN_LOCK_TOKEN';
const pollMs = 200;
const heartbeatMs = 5_000;
/** How long a holder on another machine may be silent before it counts as dead. */
const silenceMs = 60_000;

/**
 * Takes the lock at `path`, whose folder must exist, and waits for it as long as a live process holds it; `onWait` is
 * called once with that process's description. Returns the function that releases it.
 *
 * @param {string} path
 * @param {(holder: string) => void} [onWait]
 * @returns {Promise<() => void>}
 */
export async function acquireLock(path, onWait) {
  /** @type {Holder} */
  const self = { token: randomUUID(), machine: machineId(), pid: process.pid, startTicks: startTicks(process.pid) };
  const silence = new SilenceWatch();
  let told = false;
  while (!create(path, JSON.stringify(self))) {
    const holder = readHolder(path);
    const dead = holder?.machine === self.machine ? !isAlive(holder) : silence.lasts(path);
    if (dead) {
      takeAway(path, holder);
    } else if (!told && holder) {
      told = true;
      onWait?.(`process ${holder.pid} on ${holder.machine.split(' ')[0]}`);
    }
    if (!dead || isThere(path)) await sleep(pollMs);
  }
  return hold(path, self);
}

/**
 * Renews the lock's time and lends its token to child processes until it is released.
 *
 * @param {string} path
 * @param {Holder} self
 */
function hold(path, self) {
  process.env[tokenVariable] = self.token;
  const heartbeat = setInterval(() => {
    const now = new Date();
    if (readHolder(path)?.token === self.token) utimesSync(path, now, now);
  }, heartbeatMs);
  heartbeat.unref();
  return () => {
    clearInterval(heartbeat);
    delete process.env[tokenVariable];
    if (readHolder(path)?.token === self.token) rmSync(path, { force: true });
  };
}

/**
 * Removes a dead holder's lock. Only the one process that creates the file named after that holder may do so: else a
 * slower one could remove the lock that a quicker one has taken in the meantime.
 *
 * @param {string} path
 * @param {Holder | undefined} holder
 */
function takeAway(path, holder) {
  const permit = `${path}.${holder?.token ?? 'unreadable'}`;
  if (!create(permit, String(process.pid))) {
    if (Date.now() - timeOf(permit) > silenceMs) rmSync(permit, { force: true });
    return;
  }
  try {
    const same = readHolder(path)?.token === holder?.token;
    if (same && !(holder && endOrphans(holder))) rmSync(path, { force: true });
  } finally {
    rmSync(permit, { force: true });
  }
}

/**
 * Ends the processes that a dead holder left behind; true when there were any, which then need a moment to go.
 *
 * @param {Holder} holder
 */
function endOrphans(holder) {
  if (holder.machine !== machineId()) return false;
  let found = false;
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const pid = Number(name);
    if (pid === process.pid) continue;
    try {
      const environment = readFileSync(`/proc/${name}/environ`, 'utf8').split('\0');
      if (!environment.includes(`${tokenVariable}=${holder.token}`)) continue;
      process.kill(pid, 'SIGKILL');
      found = true;
    } catch {
      // It has ended, or belongs to someone else.
    }
  }
  return found;
}

/** Notices that a file's time has stood still, by this process's own clock: those of other machines may differ. */
class SilenceWatch {
  #time = Number.NaN;
  #since = 0;

  /** @param {string} path */
  lasts(path) {
    const time = timeOf(path);
    if (time !== this.#time) {
      this.#time = time;
      this.#since = performance.now();
    }
    return performance.now() - this.#since > silenceMs;
  }
}

/**
 * @param {string} path
 * @param {string} content
 */
function create(path, content) {
  try {
    writeFileSync(path, content, { flag: 'wx' });
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * The lock's holder; undefined when there is none, or when it died before it had written its name.
 *
 * @param {string} path
 * @returns {Holder | undefined}
 */
function readHolder(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** @param {Holder} holder */
function isAlive({ pid, startTicks: started }) {
  return startTicks(pid) === started;
}

/**
 * When a process started, in clock ticks since boot; '' when it is gone or only waits to be reaped.
 *
 * @param {number} pid
 */
function startTicks(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field, the program's name, may hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? '' : (fields[19] ?? '');
  } catch {
    return '';
  }
}

function machineId() {
  return `${hostname()} ${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
}

/** @param {string} path */
function isThere(path) {
  return !Number.isNaN(timeOf(path));
}

/** @param {string} path */
function timeOf(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.NaN;
}
