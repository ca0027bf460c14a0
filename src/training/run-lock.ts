// One run at a time under a name: two would write over each other's checkpoints. The lock is a file in the folder of the
// run's checkpoints. It is renewed by a thread of its own, since a training step blocks this one for up to minutes.

import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { UserError } from '../errors.js';
import { describeHolder, LockAttempts, newHolder, type Standing, usualTiming } from '../file-lock.mjs';
import { createLock, type Holder, readLock, releaseLock, renewLock } from '../lock-file.mjs';
import { maxNameBytes } from '../options/run-name.js';
import { cannotWrite, logTime, modelFile } from '../reporting/run-files.js';
import { hasCode } from '../system-error.js';
import { checkpointFolder } from './checkpoint/folder.js';
import type { Heartbeat } from './run-lock-heartbeat.js';

/** A run's name, held by this process. */
export interface RunLock {
  /**
   * Whether the name is still this process's, by the file as it is now. It is not when another process has taken it for
   * dead, after it was suspended or cut off from the file system for a minute.
   */
  isHeld(): boolean;
  /** Gives the name back, and removes what folders were made for the lock and are empty. May be called again. */
  release(): void;
}

export interface RunLockTiming {
  pollMs: number;
  /** How often the lock's time is renewed. */
  heartbeatMs: number;
  /** How long a holder on another machine may be silent before it counts as dead. */
  silenceMs: number;
  /** The same of a lock without a name in it. */
  namelessMs: number;
  /** How long a patient run waits for one that is alive. */
  patienceMs: number;
}

export interface RunLockSettings {
  /** Whether to wait for a run that is going on, as one that is resumed does: what it goes on from may be ending yet. */
  patient: boolean;
  /** Told in a line, once for each reason, that there is something to wait for. */
  onWait: (line: string) => void;
  timing?: Partial<RunLockTiming>;
}

type Place = { root_dir: string; run_name: string };

const usualRunTiming: RunLockTiming = { ...usualTiming, pollMs: 200, patienceMs: 60_000 };

/**
 * Takes a run's name, also from a process that has died. A holder on another machine is watched for up to a minute, in
 * which a live one shows itself.
 * @throws UserError where another run of this name is going on, or `outputs` can't be written to.
 */
export async function lockRun(place: Place, { patient, onWait, timing }: RunLockSettings): Promise<RunLock> {
  const times = { ...usualRunTiming, ...timing };
  const folder = checkpointFolder(place);
  const path = join(folder, '.lock');
  const self = newHolder();
  const attempts = new LockAttempts(path, self, times);
  const told = new Set<string>();
  const tell = (line: string) => {
    if (!told.has(line)) onWait(line);
    told.add(line);
  };
  const startMs = performance.now();
  let made: string | undefined;
  for (;;) {
    let standing: Standing | 'ours' | 'again';
    try {
      made ??= mkdirSync(folder, { recursive: true });
      standing = tryOnce(attempts);
    } catch (error) {
      if (made !== undefined) removeEmpty(folder, made);
      throw cannotWrite(folder, error);
    }
    if (standing === 'ours') return hold({ path, self, made: made ?? folder, heartbeatMs: times.heartbeatMs });
    if (standing !== 'again') {
      const { holder, state } = standing;
      const waitedMs = performance.now() - startMs;
      if (state === 'alive' && !(patient && waitedMs < times.patienceMs)) throw refusal(place, holder, patient);
      if (state === 'alive') tell(`Waiting for ${describe(holder)}, which is running ${place.run_name}`);
      // Not yet of a lock that is just being written.
      if (state === 'unknown' && waitedMs > 2 * times.pollMs) {
        const seconds = Math.round(times.silenceMs / 1000);
        tell(`Watching for up to ${seconds} s whether ${describe(holder)} is still running ${place.run_name}`);
      }
    }
    await sleep(times.pollMs);
  }
}

/** `again` where the folder went as the run before this one ended. */
function tryOnce(attempts: LockAttempts): Standing | 'ours' | 'again' {
  try {
    return attempts.next() ?? 'ours';
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 'again';
    throw error;
  }
}

interface Held {
  path: string;
  self: Holder;
  /** The outermost folder that was made for the lock. */
  made: string;
  heartbeatMs: number;
}

function hold({ path, self, made, heartbeatMs }: Held): RunLock {
  const stopHeartbeat = startHeartbeat({ path, token: self.token, heartbeatMs });
  let isReleased = false;
  return {
    isHeld: () => !isReleased && isHeldBy(path, self),
    release: () => {
      if (isReleased) return;
      isReleased = true;
      stopHeartbeat();
      try {
        releaseLock(path, self.token);
      } catch {
        // The process ends soon, and the lock with it.
        return;
      }
      removeEmpty(dirname(path), made);
    },
  };
}

function isHeldBy(path: string, self: Holder): boolean {
  try {
    const found = readLock(path);
    if (found !== undefined) return found.holder?.token === self.token;
    // Somebody has removed the file, but nobody has taken the name.
    mkdirSync(dirname(path), { recursive: true });
    return createLock(path, JSON.stringify(self));
  } catch {
    // A file system that fails for a moment has given the name to nobody.
    return true;
  }
}

/** Renews the lock from a thread, or, where none can be had, from this one. Returns what stops it. */
function startHeartbeat(heartbeat: Heartbeat): () => void {
  let interval: NodeJS.Timeout | undefined;
  let isStopped = false;
  const worker = new Worker(new URL('./run-lock-heartbeat.js', import.meta.url), {
    workerData: heartbeat,
    execArgv: [],
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 },
  });
  worker.unref();
  worker.on('error', () => {
    if (isStopped) return;
    interval = setInterval(() => renewLock(heartbeat.path, heartbeat.token), heartbeat.heartbeatMs);
    interval.unref();
  });
  return () => {
    isStopped = true;
    clearInterval(interval);
    void worker.terminate();
  };
}

/** Removes a folder and those around it, up to `outermost`, as long as they are empty. */
function removeEmpty(folder: string, outermost: string): void {
  for (let current = folder; ; current = dirname(current)) {
    try {
      rmdirSync(current);
    } catch {
      return;
    }
    if (current === outermost || current === dirname(current)) return;
  }
}

function refusal(place: Place, holder: Holder | undefined, wasPatient: boolean): UserError {
  const other = freeName(place);
  const choose = `Choose another name${other === undefined ? '' : `, such as --run_name=${other}`}`;
  return new UserError(`Another run named ${place.run_name} is going on`, {
    found: describe(holder),
    mend: wasPatient ? 'Wait until it has ended, or end it, and resume again' : choose,
  });
}

function describe(holder: Holder | undefined): string {
  if (holder === undefined) return 'a process that the lock does not name';
  const since = holder.since === undefined ? Number.NaN : Date.parse(holder.since);
  return `${describeHolder(holder)}${Number.isNaN(since) ? '' : ` since ${logTime(new Date(since)).slice(0, -4)}`}`;
}

/** The next name that no run has; undefined where it would be too long. */
function freeName({ root_dir, run_name }: Place): string | undefined {
  const [, stem = run_name, number = '1'] = /^(.+)-([1-9]\d{0,5})$/.exec(run_name) ?? [];
  for (let next = Number(number) + 1; ; next += 1) {
    const name = `${stem}-${next}`;
    if (Buffer.byteLength(name) > maxNameBytes) return undefined;
    const place = { root_dir, run_name: name };
    const isTaken = [checkpointFolder(place), modelFile(place)];
    if (!isTaken.some((path) => existsSync(path))) return name;
  }
}
