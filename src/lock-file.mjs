// @ts-check
// The file of a lock: made, read, renewed and removed. Plain JavaScript, because scripts/setup.mjs needs it before
// anything has been compiled.

import { closeSync, fstatSync, openSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';

/**
 * @typedef {object} Holder
 * @property {string} token
 * @property {string} machine Where `pid` means something, as `machineId` says it; the host comes first.
 * @property {number} pid
 * @property {string} startTicks When the process started, since process numbers are used again.
 * @property {string} [since] When it took the lock, in ISO 8601, by its own clock.
 */

/**
 * @typedef {object} LockFile
 * @property {Holder | undefined} holder Undefined when its maker died, or ran out of disk, before it had written its name.
 * @property {string | undefined} text Undefined where this user may not read it.
 * @property {number} mtimeMs
 * @property {number} inode
 */

/**
 * Makes the file, with its content; false where there is one already. Throws where it can't be made.
 *
 * @param {string} path
 * @param {string} content
 */
export function createLock(path, content) {
  /** @type {number} */
  let file;
  try {
    file = openSync(path, 'wx');
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
  try {
    writeFileSync(file, content);
  } catch (error) {
    // On a full disk it would stay there without a name.
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  return true;
}

/**
 * The lock as it is now; undefined when there is none. Opening a file makes a network file system ask for its true time.
 *
 * @param {string} path
 * @returns {LockFile | undefined}
 */
export function readLock(path) {
  try {
    const file = openSync(path, 'r');
    try {
      const { mtimeMs, ino: inode } = fstatSync(file);
      const text = readFileSync(file, 'utf8');
      return { holder: parseHolder(text), text, mtimeMs, inode };
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const code = codeOf(error);
    // ESTALE: a network file system's word for a file that went while it was read.
    if (code === 'ENOENT' || code === 'ESTALE') return undefined;
    if (code !== 'EACCES') throw error;
    const found = statSync(path, { throwIfNoEntry: false });
    return found && { holder: undefined, text: undefined, mtimeMs: found.mtimeMs, inode: found.ino };
  }
}

/**
 * Shows the others that the holder lives. Failures are passed over: the file system may be back at the next time.
 *
 * @param {string} path
 * @param {string} token
 */
export function renewLock(path, token) {
  try {
    const now = new Date();
    if (holdsLock(path, token)) utimesSync(path, now, now);
  } catch {}
}

/**
 * Removes the lock if it is still the holder's.
 *
 * @param {string} path
 * @param {string} token
 */
export function releaseLock(path, token) {
  if (holdsLock(path, token)) rmSync(path, { force: true });
}

/**
 * @param {string} path
 * @param {string} token
 */
export function holdsLock(path, token) {
  return readLock(path)?.holder?.token === token;
}

/**
 * @param {string} text
 * @returns {Holder | undefined}
 */
function parseHolder(text) {
  try {
    const { token, machine, pid, startTicks: ticks, since } = JSON.parse(text);
    const isHolder = [token, machine, ticks].every((part) => typeof part === 'string') && Number.isInteger(pid);
    if (!isHolder || !/^[\w-]+$/.test(token)) return undefined;
    return { token, machine, pid, startTicks: ticks, ...(typeof since === 'string' && { since }) };
  } catch {
    return undefined;
  }
}

/** @param {unknown} error */
function codeOf(error) {
  return /** @type {NodeJS.ErrnoException} */ (error).code;
}
