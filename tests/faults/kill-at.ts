// A preload for the program (`node --import`): ends the process at a chosen call on a file of `outputs`, by a signal that
// nothing can catch. KILL_AT is `<kind>:<n>:<when>`: before or after the n-th call of that kind, or in the middle of it, which
// leaves half of what was to be written. CALLS names a file to which every call is written as it is made.

import fs from 'node:fs';
import fsPromises, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';

type When = 'before' | 'middle' | 'after';

const [wantedKind, wantedNumber, wantedWhen] = (process.env['KILL_AT'] ?? '').split(':');
const { CALLS: callsPath } = process.env;
const counts = new Map<string, number>();
const paths = new Map<number, string>();

const isOurs = (path: unknown): path is string =>
  typeof path === 'string' && /\/outputs\/(checkpoints|models|results)\//.test(path) && !path.includes('/.lock');

/** Counts a call; the moment at which the process is to end by it, if it is. */
function note(kind: string, path: string, from = ''): When | undefined {
  const count = (counts.get(kind) ?? 0) + 1;
  counts.set(kind, count);
  if (callsPath !== undefined) original.appendFileSync(callsPath, `${kind}\t${path}\t${from}\n`);
  return kind === wantedKind && count === Number(wantedNumber) ? (wantedWhen as When) : undefined;
}

/** A rename to `last.safetensors`, which ends a save, counts as a kind of its own as well. */
function noteRename(to: string, from: string): When | undefined {
  const isLast = to.endsWith('/last.safetensors');
  return (isLast ? note('last', to, from) : undefined) ?? note('rename', to, from);
}

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

const original = { ...fs };
const promised = { ...fsPromises };

/** The kind of a `sync`: files and folders are kinds of their own. */
const syncKind = (path: string) => (/\.\w+$/.test(path) ? 'fsync' : 'folder-fsync');

async function around<T>(when: When | undefined, action: () => Promise<T>): Promise<T> {
  if (when === 'before') die();
  const result = await action();
  if (when !== undefined) die();
  return result;
}

function aroundSync<T>(when: When | undefined, action: () => T): T {
  if (when === 'before') die();
  const result = action();
  if (when !== undefined) die();
  return result;
}

async function install(): Promise<void> {
  const handle = await promised.open(process.execPath, 'r');
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const { write, sync } = prototype;
  type Write = (this: FileHandle, bytes: Uint8Array, offset: number, length: number) => ReturnType<typeof write>;
  const writeBytes = write as unknown as Write;

  prototype.sync = function (this: FileHandle) {
    const path = paths.get(this.fd);
    return path === undefined ? sync.call(this) : around(note(syncKind(path), path), () => sync.call(this));
  };
  const wrapped: Write = async function (this: FileHandle, bytes, offset, length) {
    const path = paths.get(this.fd);
    if (path === undefined) return writeBytes.call(this, bytes, offset, length);
    const when = note('write', path);
    const size = when === 'middle' ? Math.floor(length / 2) : length;
    return around(when, () => writeBytes.call(this, bytes, offset, size));
  };
  prototype.write = wrapped as unknown as typeof write;

  Object.assign(fsPromises, {
    async open(path: string, flags?: string, mode?: number) {
      const file = await promised.open(path, flags, mode);
      // Descriptors are used again.
      paths.delete(file.fd);
      if (isOurs(`${path}/`)) paths.set(file.fd, path);
      return file;
    },
    rename: (from: string, to: string) =>
      isOurs(to) ? around(noteRename(to, from), () => promised.rename(from, to)) : promised.rename(from, to),
    link: (from: string, to: string) =>
      isOurs(to) ? around(note('link', to, from), () => promised.link(from, to)) : promised.link(from, to),
    rm: (path: string, options?: object) =>
      isOurs(path) && original.existsSync(path)
        ? around(note('rm', path), () => promised.rm(path, options))
        : promised.rm(path, options),
  });

  Object.assign(fs, {
    openSync(path: string, flags?: string, mode?: number) {
      const file = original.openSync(path, flags ?? 'r', mode);
      paths.delete(file);
      if (isOurs(`${path}/`)) paths.set(file, path);
      return file;
    },
    // Node's appendFileSync calls this one.
    writeFileSync(to: number | string, data: string | Uint8Array, options?: fs.WriteFileOptions) {
      const path = typeof to === 'number' ? paths.get(to) : to;
      if (!isOurs(path)) return original.writeFileSync(to, data, options);
      const when = note('write', path);
      const half = typeof data === 'string' ? data.slice(0, data.length / 2) : data.subarray(0, data.length / 2);
      return aroundSync(when, () => original.writeFileSync(to, when === 'middle' ? half : data, options));
    },
    fsyncSync(file: number) {
      const path = paths.get(file);
      if (path === undefined) return original.fsyncSync(file);
      return aroundSync(note(syncKind(path), path), () => original.fsyncSync(file));
    },
    renameSync(from: string, to: string) {
      if (!isOurs(to)) return original.renameSync(from, to);
      return aroundSync(noteRename(to, from), () => original.renameSync(from, to));
    },
  });
  syncBuiltinESMExports();
}

if (isMainThread) await install();
