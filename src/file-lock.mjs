// @ts-check
// A lock between processes, made of files only, so that it works on every file system and across the machines that
// share one. Plain JavaScript, because scripts/setup.mjs needs it before anything has been compiled.
//
// The lock is a file that names its holder. A holder on this machine is judged by its process; one elsewhere by the
// file's time, which a live holder renews. The children of a holder inherit its token in their environment: when a dead
// holder's lock is taken over, what it left running (npm, pip, a compiler) is ended first.

import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLock, holdsLock, readLock, releaseLock, renewLock } from './lock-file.mjs';
import { isAlive, machineId, startTicks } from './process-identity.mjs';

/** @import { Holder, LockFile } from './lock-file.mjs' */

/**
 * Who has a lock that could not be had.
 *
 * @typedef {object} Standing
 * @property {Holder | undefined} holder Undefined when the lock does not say.
 * @property {'alive' | 'dead' | 'unknown'} state Unknown while a holder on another machine is being watched; dead while
 *   another process is taking its lock over, or what it left running is ending.
 */

/** @typedef {{ heartbeatMs: number, silenceMs: number, namelessMs: number }} LockTiming */

/** In the environment of what a holder starts. */
export const tokenVariable = 'DEEP_CNN_LOCK_TOKEN';
const pollMs = 200;

/** @type {LockTiming} */
export const usualTiming = {
  /** How often a holder renews the file's time. */
  heartbeatMs: 5_000,
  /** How long a holder on another machine may be silent before it counts as dead. */
  silenceMs: 60_000,
  /** The same of a lock without a name in it, which is written in one go with its making. */
  namelessMs: 5_000,
};

/**
 * Takes the lock at `path`, whose folder must exist, and waits for it as long as a live process holds it; `onWait` is
 * called once with that process's description. Returns the function that releases it.
 *
 * @param {string} path
 * @param {(holder: string) => void} [onWait]
 * @returns {Promise<() => void>}
 */
export async function acquireLock(path, onWait) {
  const self = newHolder();
  const attempts = new LockAttempts(path, self);
  let told = false;
  for (let standing = attempts.next(); standing !== undefined; standing = attempts.next()) {
    if (!told && standing.holder && standing.state !== 'dead') {
      told = true;
      onWait?.(describeHolder(standing.holder));
    }
    await sleep(pollMs);
  }
  return hold(path, self);
}

/** This process, as the holder of a lock of its own. */
export function newHolder() {
  const { pid } = process;
  const since = new Date().toISOString();
  return { token: randomUUID(), machine: machineId(), pid, startTicks: startTicks(pid), since };
}

/** @param {Holder} holder */
export function describeHolder({ pid, machine }) {
  return `process ${pid} on ${machine.split(' ')[0]}`;
}

/** One process's attempts to get a lock. Judging a holder on another machine takes several. */
export class LockAttempts {
  #path;
  #self;
  #timing;
  #silence = new SilenceWatch();
  #permitSilence = new SilenceWatch();

  /**
   * @param {string} path
   * @param {Holder} self
   * @param {LockTiming} [timing]
   */
  constructor(path, self, timing = usualTiming) {
    this.#path = path;
    this.#self = self;
    this.#timing = timing;
  }

  /**
   * Takes the lock, also from a dead holder; else tells who has it. To be called again and again, at least every second.
   * Throws where files can't be made, read or removed.
   *
   * @returns {Standing | undefined} undefined once the lock is this process's.
   */
  next() {
    for (let round = 0; round < 10; round += 1) {
      // What was made must also be found: between its making and its naming it may have looked like a dead one's.
      if (createLock(this.#path, JSON.stringify(this.#self)) && holdsLock(this.#path, this.#self.token))
        return undefined;
      const found = readLock(this.#path);
      if (found === undefined) continue;
      const state = this.#judge(found);
      if (state !== 'dead' || !this.#takeAway(found)) return { holder: found.holder, state };
    }
    return { holder: undefined, state: 'unknown' };
  }

  /**
   * @param {LockFile} lock
   * @returns {'alive' | 'dead' | 'unknown'}
   */
  #judge(lock) {
    const { silentMs, hasMoved } = this.#silence.look(`${lock.inode} ${lock.text}`, lock.mtimeMs);
    if (lock.holder?.machine === this.#self.machine) {
      const alive = isAlive(lock.holder);
      if (alive !== undefined) return alive ? 'alive' : 'dead';
    }
    const isNameless = lock.text !== undefined && lock.holder === undefined;
    if (silentMs > (isNameless ? this.#timing.namelessMs : this.#timing.silenceMs)) return 'dead';
    return hasMoved && silentMs < 3 * this.#timing.heartbeatMs ? 'alive' : 'unknown';
  }

  /**
   * Removes a dead holder's lock. Only the one process that creates the file named after that holder may do so: else a
   * slower one could remove the lock that a quicker one has taken in the meantime.
   *
   * @param {LockFile} dead
   * @returns {boolean} Whether it is worth another attempt at once.
   */
  #takeAway(dead) {
    const permit = `${this.#path}.${dead.holder?.token ?? 'unreadable'}`;
    if (!createLock(permit, String(process.pid))) {
      // A permit lives for an instant, unless its maker dies in it.
      const mtimeMs = statSync(permit, { throwIfNoEntry: false })?.mtimeMs;
      if (mtimeMs === undefined) return false;
      if (this.#permitSilence.look(permit, mtimeMs).silentMs > this.#timing.namelessMs) rmSync(permit, { force: true });
      return false;
    }
    try {
      const found = readLock(this.#path);
      const isSame = found?.text === dead.text && found?.inode === dead.inode && found.mtimeMs === dead.mtimeMs;
      if (!isSame) return true;
      if (dead.holder && endOrphans(dead.holder)) return false;
      rmSync(this.#path, { force: true });
      return true;
    } finally {
      rmSync(permit, { force: true });
    }
  }
}

/**
 * Renews the lock's time and lends its token to child processes until it is released.
 *
 * @param {string} path
 * @param {Holder} self
 */
function hold(path, self) {
  process.env[tokenVariable] = self.token;
  const heartbeat = setInterval(() => renewLock(path, self.token), usualTiming.heartbeatMs);
  heartbeat.unref();
  return () => {
    clearInterval(heartbeat);
    delete process.env[tokenVariable];
    releaseLock(path, self.token);
  };
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

/** Notices that a file's time stands still, by this process's own clock: those of other machines may differ. */
class SilenceWatch {
  #subject = '';
  #mtimeMs = Number.NaN;
  #silentMs = 0;
  #hasMoved = false;
  #lookedMs = 0;

  /**
   * Time passes from look to look, but never more than a second: a watcher that was stopped, or whose file system hung,
   * has seen nothing meanwhile.
   *
   * @param {string} subject
   * @param {number} mtimeMs
   */
  look(subject, mtimeMs) {
    const nowMs = performance.now();
    if (subject !== this.#subject) {
      this.#hasMoved = false;
      this.#silentMs = 0;
    } else if (mtimeMs !== this.#mtimeMs) {
      this.#hasMoved = true;
      this.#silentMs = 0;
    } else {
      this.#silentMs += Math.min(nowMs - this.#lookedMs, 1_000);
    }
    this.#subject = subject;
    this.#mtimeMs = mtimeMs;
    this.#lookedMs = nowMs;
    return { silentMs: this.#silentMs, hasMoved: this.#hasMoved };
  }
}
